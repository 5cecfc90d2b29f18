"""Who may call what."""

from typing import Annotated

from fastapi import Depends

from npms_shared.auth.tokens import Principal
from npms_shared.web.principals import require

Caller = Annotated[Principal, Depends(require("customer", "operator", "admin"))]
"""Customers reach their own accounts only; handlers see to it."""
