"""What a parameter file of PyRadiomics asks for, as an immutable value."""

from dataclasses import dataclass
from itertools import product
from typing import Final

from pipelines.domain.feature_codes import CONCEPTS

Scalar = str | int | float | bool | None
Value = Scalar | tuple[Scalar, ...]
"""What a setting may hold; a list of the file is a tuple here."""
Arguments = tuple[tuple[str, Value], ...]
"""Settings by name, sorted by it."""

DEPRECATED: Final = frozenset(
    {"firstorder_StandardDeviation", "shape_Compactness1", "shape_Compactness2", "shape_SphericalDisproportion"}
    | {"shape2D_SphericalDisproportion"}
)
"""Features that PyRadiomics computes only when a file names them."""


def all_features(family: str) -> tuple[str, ...]:
    """The features that PyRadiomics computes where a file names a class and no features of it."""
    keys = sorted(key for key in CONCEPTS if key.startswith(f"{family}_") and key not in DEPRECATED)
    return tuple(key.removeprefix(f"{family}_") for key in keys)


@dataclass(frozen=True, slots=True)
class Customisation:
    """A parameter file after PyRadiomics' own validation, with its defaults filled in.

    Attributes
    ----------
    settings
        For all images.
    image_types
        Each filter, in the order of the file, with the settings that hold for its images only.
    features
        Each class, in the order of the file, with its features in alphabetical order.

    References
    ----------
    PyRadiomics' manual, "Customizing the Extraction"; its `schemas/paramSchema.yaml`.
    """

    settings: Arguments
    image_types: tuple[tuple[str, Arguments], ...]
    features: tuple[tuple[str, tuple[str, ...]], ...]

    def setting(self, name: str, default: Value = None) -> Value:
        """A setting that holds for all images."""
        return dict(self.settings).get(name, default)

    def settings_of(self, image_type: str) -> dict[str, Value]:
        """All settings as they hold for the images of one filter."""
        return {**dict(self.settings), **dict(dict(self.image_types)[image_type])}

    def images(self) -> tuple[str, ...]:
        """The images that features are computed on, as PyRadiomics names them."""
        found = [name for kind, _ in self.image_types for name in _images(kind, self.settings_of(kind))]
        return tuple(dict.fromkeys(found))

    def feature_names(self) -> tuple[str, ...]:
        """Full names of all features that PyRadiomics can give."""
        by_class = dict(self.features)
        shapes = ["shape", "shape2D"] if self.setting("force2D", default=False) else ["shape"]
        shape = [f"original_{family}_{feature}" for family in shapes for feature in by_class.get(family, ())]
        rest = [
            f"{image}_{family}_{feature}"
            for image in self.images()
            for family, features in self.features
            if not family.startswith("shape")
            for feature in features
        ]
        return (*shape, *rest)

    def described(self) -> tuple[tuple[str, str], ...]:
        """All that the file asks for, under PyRadiomics' names, for reports."""
        return (
            *((f"setting {name}", _text(value)) for name, value in self.settings),
            *((f"imageType {kind}", _listed(arguments)) for kind, arguments in self.image_types),
            *(
                (f"featureClass {family}", "all" if features == all_features(family) else ", ".join(features))
                for family, features in self.features
            ),
        )


def _images(kind: str, settings: dict[str, Value]) -> list[str]:
    match kind:
        case "LoG":
            sigmas = settings.get("sigma", ())
            return [f"log-sigma-{str(sigma).replace('.', '-')}-mm-3D" for sigma in _sequence(sigmas)]
        case "Wavelet":
            return _wavelets(settings)
        case "LBP2D":
            return ["lbp-2D"]
        case "LBP3D":
            levels = _whole(settings.get("lbp3DLevels", 2))
            return [*(f"lbp-3D-m{level}" for level in range(1, levels + 1)), "lbp-3D-k"]
        case _:
            return [kind.lower()]


def _wavelets(settings: dict[str, Value]) -> list[str]:
    axes = 2 if settings.get("force2D", False) else 3
    low = "L" * axes
    bands = ["".join(letters) for letters in product("LH", repeat=axes)]
    levels = range(1, _whole(settings.get("level", 1)) + 1)
    names = ["wavelet" if level == 1 else f"wavelet{level}" for level in levels]
    return [*(f"{name}-{band}" for name in names for band in bands if band != low), f"{names[-1]}-{low}"]


def _sequence(value: Value) -> tuple[Scalar, ...]:
    return value if isinstance(value, tuple) else (value,)


def _whole(value: Value) -> int:
    if not isinstance(value, int):
        raise TypeError(f"{value!r} is no whole number")
    return value


def _text(value: Value) -> str:
    if isinstance(value, tuple):
        return f"[{', '.join(map(_text, value))}]"
    return "none" if value is None else str(value)


def _listed(arguments: Arguments) -> str:
    return "; ".join(f"{name} = {_text(value)}" for name, value in arguments) or "no settings of its own"
