"""The template environment that all pages share: escaping on, undefined names refused.

``style.html`` of this package, the style sheet of every page, can be included from any of them.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jinja2 import Environment

__all__ = ["bind", "page_environment"]

_SPACE = "\N{NO-BREAK SPACE}"


def bind(text: str) -> str:
    """Keep ``ε = 4`` and ``95 %`` on one line."""
    return text.replace(" = ", f"{_SPACE}={_SPACE}").replace(" %", f"{_SPACE}%")


def page_environment(*packages: str) -> "Environment":
    """Environment that finds templates in ``packages`` first, then here.

    Parameters
    ----------
    *packages : str
        Import names of packages with a folder ``templates``.

    Returns
    -------
    jinja2.Environment
        With the filters ``drawn`` (markup made by this program, not escaped again) and ``bind``.
    """
    from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
    from markupsafe import Markup

    environment = Environment(
        loader=ChoiceLoader([PackageLoader(name) for name in (*packages, "shared.report")]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["drawn"] = Markup
    environment.filters["bind"] = bind
    return environment
