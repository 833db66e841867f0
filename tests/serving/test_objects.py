"""A catalogue in object storage: read, watched and refused as a file is; the storage is moto's server."""

from typing import Any

import pandas as pd
import pytest
from typer.testing import CliRunner

from serving.catalogue import CatalogueError, read_catalogue
from serving.current import Current
from serving.objects import ObjectError, StoredObject

NOWHERE = "http://127.0.0.1:9"


@pytest.fixture
def storage(object_storage: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    for name, value in object_storage.environment.items():
        monkeypatch.setenv(name, value)
    return object_storage


@pytest.mark.slow
def test_a_catalogue_is_read_from_it(storage: Any, score_frame: pd.DataFrame) -> None:
    parquet = StoredObject(storage.put("read/scores.parquet", score_frame.to_parquet(index=False)))
    csv = StoredObject(storage.put("read/scores.csv", score_frame.to_csv(index=False).encode()))
    for place in (parquet, csv):
        found = read_catalogue(place)
        assert found.frame["creator_id"].tolist() == sorted(score_frame["creator_id"])
    with pytest.raises(CatalogueError, match=r"s3://realreach/read/scores.csv: creators with more than one row"):
        read_catalogue(parquet, csv)


@pytest.mark.slow
def test_what_cannot_be_read_is_named_with_what_to_do(storage: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(CatalogueError, match=r"s3://realreach/none.parquet cannot be read: .*AWS_ACCESS_KEY_ID"):
        read_catalogue(StoredObject("s3://realreach/none.parquet"))
    with pytest.raises(CatalogueError, match=r"s3://elsewhere/scores.parquet cannot be read: "):
        read_catalogue(StoredObject("s3://elsewhere/scores.parquet"))
    with pytest.raises(CatalogueError, match=r"s3://realreach/half.parquet cannot be read as Parquet: "):
        read_catalogue(StoredObject(storage.put("half.parquet", b"PAR1 and no more")))
    monkeypatch.setenv("AWS_ENDPOINT_URL", NOWHERE)
    with pytest.raises(CatalogueError, match="AWS_ENDPOINT_URL"):
        read_catalogue(StoredObject("s3://realreach/half.parquet"))


def test_an_address_carries_no_keys_and_names_a_file() -> None:
    with pytest.raises(ObjectError, match=r"s3://ours/scores\.parquet: an address carries no keys") as caught:
        StoredObject("s3://name:secret@ours/scores.parquet?region=x")
    assert "secret" not in str(caught.value)
    for address in ("s3://ours", "s3://ours/folder/", "s3:///scores.parquet"):
        with pytest.raises(ObjectError, match="names no file"):
            StoredObject(address)


@pytest.mark.slow
def test_one_written_anew_is_taken_on_and_a_bad_one_refused(
    storage: Any, score_frame: pd.DataFrame, monkeypatch: pytest.MonkeyPatch, champion_home: Any
) -> None:
    monkeypatch.setenv("REALREACH_HOME", str(champion_home))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    good = score_frame.to_parquet(index=False)
    monkeypatch.setenv("REALREACH_CATALOGUE", storage.put("watched.parquet", good))
    current = Current()
    current.start()
    first = current.loaded.catalogue
    assert len(first or ()) == len(score_frame)
    assert not current.refresh()
    storage.put("watched.parquet", b"x" * len(good))  # as long, and within the same second
    assert current.refresh()
    assert current.loaded.catalogue is first
    assert "watched.parquet cannot be read as Parquet" in current.loaded.catalogue_trouble
    storage.remove("watched.parquet")
    assert current.refresh()
    assert current.loaded.catalogue is first
    assert current.loaded.catalogue_trouble.endswith("the one before stays")
    assert not current.refresh()
    storage.put("watched.parquet", score_frame.head(2).to_parquet(index=False))
    assert current.refresh()
    assert (len(current.loaded.catalogue or ()), current.loaded.catalogue_trouble) == (2, "")
    monkeypatch.setenv("AWS_ENDPOINT_URL", NOWHERE)  # the storage does not answer
    assert current.refresh()
    assert len(current.loaded.catalogue or ()) == 2
    monkeypatch.setenv("AWS_ENDPOINT_URL", storage.url)
    assert current.refresh()
    assert current.loaded.catalogue_trouble == ""


@pytest.mark.slow
def test_the_command_line_ranks_it(storage: Any, score_frame: pd.DataFrame) -> None:
    from realreach import app

    address = storage.put("ranked.parquet", score_frame.to_parquet(index=False))
    ran = CliRunner().invoke(app, ["recommend", "--brief", "skincare serum", "--catalogue", address, "--k", "2"])
    assert ran.exit_code == 0, ran.output
    ran = CliRunner().invoke(app, ["recommend", "--brief", "serum", "--catalogue", "s3://realreach"])
    assert ran.exit_code == 1
