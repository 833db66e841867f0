"""What a catalogue is made ready with, kept on disk: vectors, niches and words of creators take minutes to make.

Kept under `REALREACH_HOME/prepared/` by a digest of all that they depend on, so that a worker that starts again, the
other workers, and a catalogue that only changed its scores find them. Vectors are mapped into memory, not read: workers
share them. Nothing here decides: what is missing, damaged or cannot be written is made anew.
"""

import hashlib
import json
import logging
import os
import shutil
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from features.lexicons import text_array
from features.profiles import ProfileSpace
from features.taxonomy import read_taxonomy
from features.terms import Rarity
from features.vectors import shipped_table
from training.tracking import home

if TYPE_CHECKING:
    from serving.catalogue import Catalogue

log = logging.getLogger("bentoml.realreach")

#: Columns that what is kept depends on.
_READ = ("profile_text", "niche", "language")
#: Creators from which on it is worth keeping: fewer are made ready in a second or two.
LEAST_KEPT = 1_000
#: Catalogues that are kept at most; the ones that were used longest ago go.
_MOST_KEPT = 4
_VECTORS, _SHARES, _LANGUAGES, _ABOUT = "vectors.npy", "shares.npy", "languages.npy", "about.json"


def digest_of(frame: pd.DataFrame) -> str:
    """Digest of all that the prepared parts of a catalogue depend on."""
    found = hashlib.blake2b(digest_size=20)
    found.update(f"{version('realreach')} {shipped_table().digest} {sorted(read_taxonomy())!r}".encode())
    for name in _READ:
        texts = text_array(frame[name])
        found.update(f"{name} {len(texts)} {texts.offset}".encode())
        for buffer in texts.buffers():
            found.update(buffer or b"")
    return found.hexdigest()


def prepare(catalogue: "Catalogue") -> None:
    """Give a catalogue what a ranking reads, from disk where it is kept, else made and kept."""
    if len(catalogue) < LEAST_KEPT or "profiles" in vars(catalogue):
        return  # quickly made, or with vectors that its texts do not tell
    folder = home() / "prepared" / digest_of(catalogue.frame)
    if _restore(catalogue, folder):
        return
    made = (catalogue.profiles, catalogue.niche_shares, catalogue.languages, catalogue.rarity)
    try:
        _keep(folder, *made)
    except OSError as error:
        log.warning(
            "what the catalogue is made ready with cannot be kept, and is made again at the next start: %s", error
        )


def _restore(catalogue: "Catalogue", folder: Path) -> bool:
    try:
        about = json.loads((folder / _ABOUT).read_text(encoding="utf-8"))
        vectors = np.load(folder / _VECTORS, mmap_mode="r", allow_pickle=False)
        shares = np.load(folder / _SHARES, allow_pickle=False)
        languages = np.load(folder / _LANGUAGES, allow_pickle=False)
        means = {int(code): np.array(mean) for code, mean in about["means"].items()}
        kept = {
            "profiles": ProfileSpace(vectors, means),
            "niche_shares": pd.DataFrame(shares, columns=about["niches"]),
            "languages": pd.Series(languages, dtype=np.int64),
            "rarity": Rarity(about["texts"], about["occurs"]),
        }
        os.utime(folder)
    except (OSError, EOFError, ValueError, KeyError, TypeError, AttributeError):
        return False
    if not len(vectors) == len(shares) == len(languages) == len(catalogue):
        return False
    vars(catalogue).update(kept)
    return True


def _keep(folder: Path, profiles: ProfileSpace, shares: pd.DataFrame, languages: pd.Series, rarity: Rarity) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".being-made-", dir=folder.parent) as name:
        made = Path(name) / "made"
        made.mkdir()
        np.save(made / _VECTORS, profiles.vectors, allow_pickle=False)
        np.save(made / _SHARES, shares.to_numpy(), allow_pickle=False)
        np.save(made / _LANGUAGES, languages.to_numpy(), allow_pickle=False)
        about = {
            "means": {str(code): mean.tolist() for code, mean in profiles.means.items()},
            "niches": list(shares.columns),
            "texts": rarity.texts,
            "occurs": dict(rarity.occurs),
        }
        (made / _ABOUT).write_text(json.dumps(about), encoding="utf-8")
        if folder.exists():  # damaged, or made by another worker meanwhile
            shutil.rmtree(folder, ignore_errors=True)
        made.rename(folder)
    others = sorted(folder.parent.glob("[0-9a-f]*"), key=lambda one: one.stat().st_mtime, reverse=True)
    for old in others[_MOST_KEPT:]:
        shutil.rmtree(old, ignore_errors=True)
