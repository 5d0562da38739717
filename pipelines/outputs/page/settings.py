"""How the page of a case is made."""

from dataclasses import dataclass
from typing import Final, Literal

PageFormat = Literal["pdf", "image", "both"]
PageLanguage = Literal["en", "zh"]


@dataclass(frozen=True, slots=True)
class PageSettings:
    """Form and language of the page.

    Attributes
    ----------
    format
        Encapsulated PDF, Secondary Capture image, or one of each.
    """

    format: PageFormat = "pdf"
    language: PageLanguage = "en"


DEFAULT_PAGE: Final = PageSettings()
