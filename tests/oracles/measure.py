"""What published programs say of meetings: a line of JSON in, a line of JSON out. See README.md."""

import json
import logging
import re
import sys
import time
import unicodedata
import warnings

import jiwer
import meeteval
import numpy
import sacrebleu
import scipy.optimize
import segeval
from meeteval.io import SegLST
from pyannote.core import Annotation, Segment
from pyannote.metrics.diarization import DiarizationErrorRate
from rouge_score import rouge_scorer

warnings.simplefilter("ignore")
logging.disable(logging.WARNING)


class Unicode:
    """rouge-score's own tokenizer drops every letter that is not ASCII."""

    def tokenize(self, text):
        return re.findall(r"\w+", unicodedata.normalize("NFKC", text).lower())


KINDS = ["rouge1", "rouge2", "rougeL"]
ASCII_SCORER = rouge_scorer.RougeScorer(KINDS, use_stemmer=False)
UNICODE_SCORER = rouge_scorer.RougeScorer(KINDS, use_stemmer=False, tokenizer=Unicode())


def seglst(segments):
    return SegLST(
        [
            {
                "session_id": "m",
                "speaker": segment["speaker"],
                "start_time": segment["start"],
                "end_time": segment["end"],
                "words": " ".join(segment["words"]),
            }
            for segment in segments
        ]
    )


def text(segments):
    return " ".join(word for segment in segments for word in segment["words"])


def rate(found):
    return {"errors": found.errors, "length": found.length}


def by_words(reference, hypothesis):
    words = jiwer.process_words(reference, hypothesis)
    characters = jiwer.process_characters(reference, hypothesis)
    errors = lambda found: found.substitutions + found.deletions + found.insertions
    return {"words": errors(words), "characters": errors(characters)}


def diarization(reference, hypothesis, collar, overlap):
    def annotation(segments):
        made = Annotation()
        for at, segment in enumerate(segments):
            made[Segment(segment["start"], segment["end"]), at] = segment["speaker"]
        return made

    metric = DiarizationErrorRate(collar=collar, skip_overlap=overlap)
    found = metric(annotation(reference), annotation(hypothesis), detailed=True)
    return {
        "total": found["total"],
        "missed": found["missed detection"],
        "false_alarm": found["false alarm"],
        "confusion": found["confusion"],
        "rate": found["diarization error rate"],
    }


def segmentation(reference, hypothesis):
    reference, hypothesis = tuple(reference), tuple(hypothesis)
    window = max(2, round(sum(reference) / len(reference) / 2))
    found = {"window": window, "boundary_similarity": None, "pk": None, "window_diff": None}
    if sum(reference) > 1:
        found["boundary_similarity"] = float(segeval.boundary_similarity(hypothesis, reference))
    # Longer windows crash segeval, and so does a text that is no longer than one.
    if window < 256 and sum(reference) > window:
        found["pk"] = float(segeval.pk(hypothesis, reference))
        found["window_diff"] = float(segeval.window_diff(hypothesis, reference))
    return found


def rouge(reference, hypothesis):
    found = {}
    for name, scorer in [("ascii", ASCII_SCORER), ("unicode", UNICODE_SCORER)]:
        scores = scorer.score(reference, hypothesis)
        found[name] = [[scores[kind].precision, scores[kind].recall, scores[kind].fmeasure] for kind in KINDS]
    return found


def matching(similarity):
    rows, columns = scipy.optimize.linear_sum_assignment(numpy.array(similarity), maximize=True)
    return {
        "pairs": [[int(row), int(column)] for row, column in zip(rows, columns)],
        "total": float(numpy.array(similarity)[rows, columns].sum()),
    }


def series(reference, hypothesis):
    left, right = numpy.array(reference), numpy.array(hypothesis)
    apart = numpy.abs(left - right)
    pearson = None
    if left.std() > 0 and right.std() > 0:
        pearson = float(numpy.corrcoef(left, right)[0, 1])
    return {
        "max_abs": float(apart.max()),
        "mean_abs": float(apart.mean()),
        "rmse": float(numpy.sqrt((apart**2).mean())),
        "pearson": pearson,
        "p95": float(numpy.percentile(apart, 95)),
        "median": float(numpy.median(apart)),
    }


def measure(meeting):
    reference, hypothesis = meeting["reference"], meeting["hypothesis"]
    left, right = seglst(reference), seglst(hypothesis)
    tcp = meeteval.wer.time_constrained_minimum_permutation_word_error_rate
    return {
        "plain": by_words(text(reference), text(hypothesis)),
        "cp": rate(meeteval.wer.cp_word_error_rate(left, right)),
        "tcp": rate(tcp(left, right, collar=5)),
        "tcp_tight": rate(tcp(left, right, collar=meeting["collar"])),
        "orc": rate(meeteval.wer.orc_word_error_rate(left, right)),
        "di_cp": rate(meeteval.wer.greedy_di_cp_word_error_rate(left, right)),
        "der": [
            diarization(reference, hypothesis, collar, overlap)
            for collar, overlap in [(0.0, False), (0.5, False), (0.0, True)]
        ],
        "segmentation": segmentation(meeting["reference_masses"], meeting["hypothesis_masses"]),
        "rouge": rouge(meeting["reference_text"], meeting["hypothesis_text"]),
        "chrf": sacrebleu.sentence_chrf(meeting["hypothesis_text"], [meeting["reference_text"]]).score,
        "matching": matching(meeting["similarity"]),
        "series": series(meeting["reference_series"], meeting["hypothesis_series"]),
    }


def timed(meeting):
    """Seconds that the two word error rates take, for the benchmark."""
    reference, hypothesis = meeting["reference"], meeting["hypothesis"]
    left, right = seglst(reference), seglst(hypothesis)
    began = time.perf_counter()
    cp = meeteval.wer.cp_word_error_rate(left, right)
    paired = time.perf_counter()
    words = jiwer.process_words(text(reference), text(hypothesis))
    ended = time.perf_counter()
    errors = words.substitutions + words.deletions + words.insertions
    return {
        "cp_s": paired - began,
        "cp_errors": cp.errors,
        "jiwer_s": ended - paired,
        "jiwer_errors": errors,
    }


def main():
    work = timed if sys.argv[1:] == ["--timed"] else measure
    for line in sys.stdin:
        print(json.dumps(work(json.loads(line))), flush=True)


main()
