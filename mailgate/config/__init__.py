"""Configuration: config.toml -> Config, rules.yaml -> rules, both -> Policy.

Every mistake of both files is reported at once, as file:line: key: what; what to write instead.
"""

from __future__ import annotations

from mailgate.config.channels import ImapSection, OAuth2Section, RelaySection, SmtpSection
from mailgate.config.checks import template_languages
from mailgate.config.credentials import warnings
from mailgate.config.fields import Endpoint
from mailgate.config.models import (
    AgentSection,
    AgentsSection,
    Config,
    DatabaseSection,
    GateSection,
    HelpdeskSection,
    LimitsSection,
    MailboxSection,
    RetentionSection,
    SlaSection,
    TicketsSection,
    TrustSection,
    WebSection,
)
from mailgate.config.policies import policy
from mailgate.config.problems import ConfigError, Problem
from mailgate.config.reading import find, load
from mailgate.config.rulesfile import load_rules
from mailgate.config.starter import starter

__all__ = [
    "AgentSection",
    "AgentsSection",
    "Config",
    "ConfigError",
    "DatabaseSection",
    "Endpoint",
    "GateSection",
    "HelpdeskSection",
    "ImapSection",
    "LimitsSection",
    "MailboxSection",
    "OAuth2Section",
    "Problem",
    "RelaySection",
    "RetentionSection",
    "SlaSection",
    "SmtpSection",
    "TicketsSection",
    "TrustSection",
    "WebSection",
    "find",
    "load",
    "load_rules",
    "policy",
    "starter",
    "template_languages",
    "warnings",
]
