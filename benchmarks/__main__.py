"""Run the benchmarks and write reports/benchmarks.md (10 minutes). `--only` prints one part and writes nothing.

The part `pipeline` runs digits twice, which takes 15 minutes; it is run only by `--only pipeline`.
"""

import argparse

from benchmarks import libraries, neighbours, pipeline, training
from benchmarks.report import Report


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=7, help="Number of rounds; medians are printed.")
    parser.add_argument("--only", choices=["training", "neighbours", "libraries", "pipeline"])
    chosen = parser.parse_args()
    report = Report(chosen.threads)
    if chosen.only in (None, "training"):
        training.main(report, chosen.threads, chosen.rounds)
    if chosen.only in (None, "neighbours"):
        neighbours.main(report, chosen.threads, chosen.rounds)
    if chosen.only in (None, "libraries"):
        libraries.main(report, chosen.rounds)
    if chosen.only == "pipeline":
        pipeline.main(report)
    if chosen.only is None:
        report.write()


if __name__ == "__main__":
    main()
