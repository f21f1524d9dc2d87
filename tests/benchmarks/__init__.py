"""Speed against stated rivals in the same run; `make bench` writes results/benchmarks.parquet."""
