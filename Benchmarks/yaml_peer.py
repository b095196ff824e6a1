"""Reads the file that `Benchmark yaml FILE` wrote with PyYAML's C loader: python yaml_peer.py FILE SECONDS."""
import sys
import time

import yaml

path, ours = sys.argv[1], float(sys.argv[2])
with open(path, encoding="utf-8") as file:
    text = file.read()
best = float("inf")
for _ in range(3):
    start = time.perf_counter()
    documents = [document for document in yaml.load_all(text, Loader=yaml.CSafeLoader) if document is not None]
    best = min(best, time.perf_counter() - start)
ratio = best / ours
print(f"{'yaml: read / PyYAML C loader (speed)':<58}{ratio:<26.2f}{'>= 8':<18}{'met' if ratio >= 8 else 'MISSED'}")
