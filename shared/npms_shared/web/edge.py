"""What stands before a service's REST interface, the same in all."""

from dataclasses import dataclass

from npms_shared.auth.verifier import TokenVerifier
from npms_shared.web.limits import Limits


@dataclass(frozen=True, slots=True)
class Edge:
    """Whose tokens are taken, and how much one client may ask."""

    verifier: TokenVerifier
    limits: Limits
    docs: bool = False
    """Whether /docs and /openapi.json are there: for development."""
