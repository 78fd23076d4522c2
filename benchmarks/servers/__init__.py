"""Programs that the benchmarks start. Each prints its address first."""
