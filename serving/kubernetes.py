"""A manifest that runs a bento in Kubernetes: BentoML makes the image, and knows no cluster but its maker's own."""

import re
from pathlib import Path

from jinja2 import StrictUndefined, Template

from serving.bundle import CATALOGUE, Bundle, BundleError
from serving.service import TIMEOUT

_TEMPLATE = Path(__file__).parent / "operations" / "kubernetes.yaml.j2"
_DOCKERFILE = Path("env") / "docker" / "Dockerfile"
_USER = re.compile(r"^ARG BENTO_USER_UID=(\d+)$", re.MULTILINE)
#: What a registry takes for the name of an image: host, port, path, tag or digest.
_IMAGE = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9._:/@-]*")
#: Seconds that a pod answers on after it was told to end, and those it has to end after its last request.
_BEFORE_END, _AFTER = 5, 15


def manifest(bundle: Bundle, image: str) -> str:
    """What to apply, as YAML: Secret, Deployment, Service, HorizontalPodAutoscaler and PodDisruptionBudget.

    Parameters
    ----------
    image : str
        Name of the image that `bentoml containerize` makes of the bento.

    Raises
    ------
    serving.bundle.BundleError
        Where that is no name of an image, or the bento's Dockerfile names no user to run as.
    """
    if not _IMAGE.fullmatch(image):
        raise BundleError(f"{image!r} is no name of an image: write REGISTRY/NAME:TAG")
    dockerfile = bundle.path / _DOCKERFILE
    user = _USER.search(dockerfile.read_text(encoding="utf-8"))
    if user is None:
        raise BundleError(f"{dockerfile} names no BENTO_USER_UID to run as; this bentoml writes it in another way")
    template = Template(_TEMPLATE.read_text(encoding="utf-8"), undefined=StrictUndefined, keep_trailing_newline=True)
    return template.render(
        tag=bundle.tag,
        version=bundle.tag.rpartition(":")[2],
        image=image,
        catalogue=(bundle.path / "src" / CATALOGUE).is_file(),
        user=int(user[1]),
        before_end=_BEFORE_END,
        timeout=TIMEOUT,
        after=_AFTER,
    )
