"""Asks Switchyard who serves a recording, before its Celery task is published.

Two uses, both by copying this one file beside the code that publishes the task (it needs nothing
but Python's standard library and the task it is given):

1. At the dispatch site, in place of `.delay()`:

       from switchyard_dispatch import dispatch

       dispatch(
           task_pipeline_multitrack_process,
           transcript_id=transcript.id,
           bucket_name=bucket_name,
           track_keys=track_keys,
       )

   Reflector has three such sites (worker/process.py, services/transcript_process.py and
   tools/cli_multitrack.py); one that is left out simply stays with Celery.

2. Together with Switchyard's tap (`task_routes` sends the task to a queue of its own, see
   docs/tap.md): nothing changes here, and the tap knows the task again by its id. That closes the one
   gap of the first use: when Switchyard has agreed to serve and its last answer is lost on the way,
   the task is published all the same, and the tap withholds it.

What happens: Switchyard is asked with a budget of 300 ms. It answers `control`, or not at all, or
something odd: the task is published as ever. It answers `candidate`: that is accepted first, and
only when Switchyard has confirmed it is the task left unpublished. An offer that is not accepted
lapses after 30 s, so a death in between leaves no recording with two pipelines.

Once Celery is removed (phase `cleanup removed`), Switchyard never answers `control`: in doubt it answers 503, and
this file publishes the task all the same, for the tap to take. Without a tap nobody would run it. Replace this file by
a plain call, which may fail and be repeated, before Celery is removed.

The environment says where Switchyard is: SWITCHYARD_URL, by default http://127.0.0.1:8480. Where its settings
have a section `access`, it wants a token: SWITCHYARD_TOKEN, as `switchyard token create --only ask_route` makes
one. Without that section it answers loopback names only; from another machine, go through a tunnel.
SWITCHYARD_BUDGET_MS is the budget, by default 300.
"""

import http.client
import json
import logging
import os
import threading
import time
import urllib.parse
import uuid

__all__ = ["dispatch"]

logger = logging.getLogger(__name__)

# Seconds to have an offer confirmed. It was made a moment ago, so an answer is all but certain; to
# publish without one is the only way two pipelines could serve.
ACCEPT = 5.0
ACCEPT_ONCE = 1.0


def dispatch(task, *, transcript_id, bucket_name, track_keys, reprocess=None):
    """Publishes `task` for a transcript, unless Switchyard's pipeline serves it.

    Returns the id of the Celery task, published or not. `reprocess` says whether somebody asked for
    the transcript again; left out, that is so wherever the caller is no Celery task itself. Raises
    only what publishing raises.
    """
    task_id = str(uuid.uuid4())
    kwargs = {
        "transcript_id": transcript_id,
        "bucket_name": bucket_name,
        "track_keys": track_keys,
    }
    if reprocess is None:
        reprocess = _current_task(task) is None
    try:
        served = _served(task_id, dict(kwargs, track_keys=list(track_keys), reprocess=bool(reprocess)))
    except Exception as error:  # whatever it is, it must not cost a recording
        logger.warning("Switchyard was not asked (%s), publishing the task", type(error).__name__)
        served = False
    if not served:
        task.apply_async(kwargs=kwargs, task_id=task_id)
    return task_id


def _current_task(task):
    """The Celery task this runs in, if any."""
    return getattr(getattr(task, "app", None), "current_worker_task", None)


def _served(task_id, recording):
    """Whether Switchyard's pipeline serves, and nobody else may."""
    # To be told who serves, all included.
    budget = float(os.environ.get("SWITCHYARD_BUDGET_MS", "300")) / 1000
    answer = _within(budget, "/api/v1/recordings", dict(recording, task_id=task_id))
    if not answer or answer.get("serve") != "candidate" or answer.get("task_id") != task_id:
        return False
    path = "/api/v1/recordings/%s/accept" % urllib.parse.quote(task_id, safe="")
    deadline = time.monotonic() + ACCEPT
    while True:
        left = deadline - time.monotonic()
        if left <= 0:
            logger.warning("Switchyard did not confirm that it serves, publishing the task")
            return False
        answer = _within(min(left, ACCEPT_ONCE), path, {})
        if answer is not None:
            return answer.get("serve") == "candidate"
        time.sleep(min(0.1, left))


def _within(seconds, path, body):
    """The answer, or None when there is none in time.

    In a thread of its own, since nothing in the standard library bounds a name's look-up, or an
    answer that comes byte by byte.
    """
    found = []
    thread = threading.Thread(target=lambda: found.append(_post(seconds, path, body)), daemon=True)
    thread.start()
    thread.join(seconds)
    return found[0] if found else None


def _post(seconds, path, body):
    url = urllib.parse.urlsplit(os.environ.get("SWITCHYARD_URL", "http://127.0.0.1:8480"))
    kinds = {"http": http.client.HTTPConnection, "https": http.client.HTTPSConnection}
    headers = {"Content-Type": "application/json", "Accept": "application/json"}
    token = os.environ.get("SWITCHYARD_TOKEN", "").strip()
    if token:
        headers["Authorization"] = "Bearer " + token
    try:
        connection = kinds[url.scheme](url.hostname, url.port, timeout=seconds)
        try:
            connection.request(
                "POST",
                url.path.rstrip("/") + path,
                body=json.dumps(body),
                headers=headers,
            )
            response = connection.getresponse()
            text = response.read(65536)
            if response.status == 404:
                return {"serve": "control"}
            if response.status in (401, 403):
                logger.warning("Switchyard refuses the token in SWITCHYARD_TOKEN (%d)", response.status)
            if response.status != 200:
                return None
            answer = json.loads(text)
            return answer if isinstance(answer, dict) else None
        finally:
            connection.close()
    except Exception as error:  # refused, reset, too late, not HTTP, not JSON, no URL
        logger.info("Switchyard gave no answer: %s", type(error).__name__)
        return None
