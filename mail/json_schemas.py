"""The marketer's files as JSON Schema, for editors that check and complete while one types."""

from __future__ import annotations

import json
from collections.abc import Mapping
from types import MappingProxyType

from pydantic import BaseModel

from mail.campaigns import CampaignFile
from mail.overrides import OverrideFile
from mail.schema import Message, OfferFile, PolicyFile
from mail.segments import AudienceFile

MODELS: Mapping[str, type[BaseModel]] = MappingProxyType(
    {
        "message": Message,
        "offers": OfferFile,
        "policy": PolicyFile,
        "segments": AudienceFile,
        "overrides": OverrideFile,
        "campaigns": CampaignFile,
    }
)
"""Schema -> what it describes: `message` every file in messages/, the others the file of their name."""

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def json_schemas() -> dict[str, str]:
    """File name -> JSON Schema as text."""
    return {
        f"{name}.schema.json": json.dumps({"$schema": DIALECT, **model.model_json_schema()}, indent=2) + "\n"
        for name, model in MODELS.items()
    }
