"""The PyRadiomics that is installed: imported here, once it is known to be the one that the node was tested with."""

from dataclasses import dataclass
from functools import cache
from importlib import metadata, util
from pathlib import Path
from types import ModuleType
from typing import Final

from pipelines.domain.reasons import Rejected

PACKAGE: Final = "radiomics"
DISTRIBUTION: Final = "pyradiomics-bhklab"
VERSION: Final = "3.1.4"
UPSTREAM_VERSION: Final = "3.1.0"
"""The release of PyRadiomics that the distribution repackages."""

_REMEDY: Final = (
    f"Install the node into an environment of its own, with {DISTRIBUTION} {VERSION} and nothing else that writes the "
    f"package {PACKAGE}."
)


@dataclass(frozen=True, slots=True)
class Installed:
    """What there is under the name of PyRadiomics.

    Attributes
    ----------
    distributions
        (name, version) of every distribution that writes the package.
    from_distribution
        True when the package that would be imported is the file that the expected distribution put there.
    says
        The version that the imported package states; None when it was not imported.
    fault
        Why it cannot be imported; empty when it can.
    """

    distributions: tuple[tuple[str, str], ...]
    from_distribution: bool
    says: str | None = None
    fault: str = ""


@dataclass(frozen=True, slots=True)
class Toolbox:
    """The right PyRadiomics, imported."""

    package: ModuleType
    identity: str


class WrongToolboxError(ImportError):
    """PyRadiomics is missing or another one; `reason` tells what to do."""

    def __init__(self, reason: Rejected) -> None:
        super().__init__(str(reason))
        self.reason = reason


def judged(found: Installed) -> str | Rejected:
    """Name and version of the right PyRadiomics, or `ENG-001` with what stands in its place.

    Examples
    --------
    >>> judged(Installed((("pyradiomics-bhklab", "3.1.4"),), True, "v3.1.4"))
    'PyRadiomics 3.1.0 (pyradiomics-bhklab 3.1.4)'
    """
    named = ", ".join(f"{name} {version}" for name, version in found.distributions)
    if not found.distributions:
        wrong = f"PyRadiomics is not installed: no distribution writes the package {PACKAGE}."
    elif len(found.distributions) > 1:
        wrong = f"{len(found.distributions)} distributions write the package {PACKAGE}: {named}."
    elif found.distributions != ((DISTRIBUTION, VERSION),):
        wrong = f"The package {PACKAGE} belongs to {named}; the node was tested with {DISTRIBUTION} {VERSION}."
    elif not found.from_distribution:
        wrong = f"Another package {PACKAGE} is found before that of {named}."
    elif found.fault:
        wrong = f"{named} cannot be imported: {found.fault}."
    elif (found.says or "").removeprefix("v") != VERSION:
        wrong = f"The package {PACKAGE} of {named} says that it is version {found.says}."
    else:
        return f"PyRadiomics {UPSTREAM_VERSION} ({named})"
    return Rejected("ENG-001", wrong, _REMEDY)


@cache
def examined() -> Toolbox | Rejected:
    """Import PyRadiomics, unless what is installed under its name is another package."""
    distributions = _distributions()
    before = Installed(distributions, _is_own_file(), VERSION)
    if isinstance(refusal := judged(before), Rejected):
        return refusal
    try:
        # not above: a foreign package of this name must not run
        import radiomics
        import radiomics.featureextractor
    except ImportError as fault:
        after = Installed(distributions, from_distribution=True, fault=str(fault))
    else:
        says = str(getattr(radiomics, "__version__", "unknown"))
        after = Installed(distributions, from_distribution=True, says=says)
    verdict = judged(after)
    return verdict if isinstance(verdict, Rejected) else Toolbox(radiomics, verdict)


def pyradiomics() -> ModuleType:
    """The package `radiomics` with its feature extractor.

    Raises
    ------
    WrongToolboxError
        If it is missing or not the one that the node was tested with.
    """
    found = examined()
    if isinstance(found, Rejected):
        raise WrongToolboxError(found)
    return found.package


def _distributions() -> tuple[tuple[str, str], ...]:
    names = sorted(set(metadata.packages_distributions().get(PACKAGE, ())))
    return tuple((name, metadata.version(name)) for name in names)


def _is_own_file() -> bool:
    found = util.find_spec(PACKAGE)
    if found is None or found.origin is None:
        return False
    try:
        own = metadata.distribution(DISTRIBUTION).locate_file(f"{PACKAGE}/__init__.py")
    except metadata.PackageNotFoundError:
        return False
    return Path(found.origin).resolve() == Path(str(own)).resolve()
