"""Run the benchmarks. Times depend on the machine and its load; the ratios of one run are comparable."""

import argparse

from benchmarks import libraries, neighbours, pipeline, seeds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=15, help="Number of pairs of measurements; the median ratio is printed.")
    parser.add_argument("--only", choices=["seeds", "neighbours", "libraries", "pipeline"])
    chosen = parser.parse_args()
    if chosen.only in (None, "seeds"):
        seeds.main(chosen.threads, chosen.rounds)
    if chosen.only in (None, "neighbours"):
        neighbours.main(chosen.threads, chosen.rounds)
    if chosen.only in (None, "libraries"):
        libraries.main(chosen.rounds)
    if chosen.only in (None, "pipeline"):
        pipeline.main()


if __name__ == "__main__":
    main()
