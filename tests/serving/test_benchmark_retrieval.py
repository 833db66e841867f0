from serving.benchmark_retrieval import benchmark_retrieval


def test_smaller_numbers_find_the_same_creators_and_memory_is_told() -> None:
    figures = benchmark_retrieval(20_000, repeats=1).set_index("way")
    assert figures.loc["retrieval, filters, first 100: float32", "recall_at_100"] == 1
    assert figures.loc["the same with float16", "recall_at_100"] >= 0.99
    assert figures.loc["the same with int8", "recall_at_100"] >= 0.9
    assert figures.loc["the same with int8", "megabytes"] < figures.loc["the same with float16", "megabytes"]
    assert figures["megabytes"].iloc[-1] > 20_000 * 256 * 4 / 2**20
