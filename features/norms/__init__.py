"""Word lists, rules by country and published benchmarks that signals and peers are read against, with their sources."""
