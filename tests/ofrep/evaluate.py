"""Evaluates flags with the OpenFeature SDK and its OFREP provider.

Takes the server's address as its argument and a JSON list of evaluations on standard input, each with
`key`, `default`, `targeting_key` and `attributes`; prints what the SDK says of each as a JSON list.
"""

import json
import sys

from openfeature import api
from openfeature.contrib.provider.ofrep import OFREPProvider
from openfeature.evaluation_context import EvaluationContext


def evaluate(client, wanted):
    context = EvaluationContext(wanted.get("targeting_key"), wanted.get("attributes", {}))
    found = client.get_boolean_details(wanted["key"], wanted["default"], context)
    return {
        "value": found.value,
        "variant": found.variant,
        "reason": found.reason,
        "error": found.error_code,
        "message": found.error_message,
        "metadata": dict(found.flag_metadata),
    }


def main():
    provider = OFREPProvider(sys.argv[1], timeout=60)
    # Loopback needs no proxy, whatever the machine is set to.
    provider.session.trust_env = False
    api.set_provider(provider)
    client = api.get_client()
    json.dump([evaluate(client, wanted) for wanted in json.load(sys.stdin)], sys.stdout)


main()
