import json

import pytest

from serving.load import load, request_of


@pytest.mark.slow
def test_load_asks_as_often_as_it_is_told_and_keeps_what_was_answered(service_url: str) -> None:
    good = request_of(service_url, "/v1/recommend", json.dumps({"brief": "serum", "k": 1}).encode())
    bad = request_of(service_url, "/v1/recommend", b"{}")
    paced = load(service_url, [good, bad], connections=3, seconds=2, rate=20)
    assert set(paced.statuses.tolist()) == {200, 400}
    assert 30 <= len(paced.seconds) <= 41
    assert paced.rate == pytest.approx((paced.statuses == 200).sum() / paced.took)
    assert 0 < paced.quantile(0.5) <= paced.quantile(0.99)
    fast = load(service_url, [good], connections=2, seconds=1)
    assert len(fast.seconds) > 2
    assert (fast.statuses == 200).all()
