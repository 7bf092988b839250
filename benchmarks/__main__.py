"""Print every benchmark. Times differ from machine to machine and from hour to hour; the ratios of one run hold."""

import argparse

from benchmarks import pipeline, seeds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=15, help="pairs of measurements; the median ratio is printed")
    parser.add_argument("--only", choices=["seeds", "pipeline"])
    chosen = parser.parse_args()
    if chosen.only != "pipeline":
        seeds.main(chosen.threads, chosen.rounds)
    if chosen.only != "seeds":
        pipeline.main()


if __name__ == "__main__":
    main()
