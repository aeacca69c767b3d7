"""Rules for credentials: API keys, tokens, private keys, passwords."""

from __future__ import annotations

import re

from components.core.scrub.recognizers.rule import Rule

_NAMED = (
    r"(?:passwords?|passwd|pwd|passphrase|api[ _-]?key|secret(?:[ _-]?key)?|"
    r"access[ _-]?(?:key|token)|auth[ _-]?token|client[ _-]?secret|bearer|token)"
)

RULES = (
    Rule(
        "SECRET",
        r"-----BEGIN [A-Z0-9 ]{0,30}PRIVATE KEY-----.{0,20000}?"
        r"(?:-----END [A-Z0-9 ]{0,30}PRIVATE KEY-----|\Z)",
        ("-----BEGIN",), 1.0, flags=re.DOTALL,
    ),
    # JSON Web Token, RFC 7519: header.payload.signature
    Rule(
        "SECRET", r"(?<![\w-])eyJ[\w-]{8,4000}\.[\w-]{8,8000}\.[\w-]{0,2000}",
        (r"eyJ[A-Za-z0-9_-]{8}",), 1.0, flags=0,
    ),
    Rule(
        "SECRET",
        r"(?<![\w-])(?:(?:AKIA|ASIA|AGPA|AIDA|AROA)[A-Z0-9]{16}|gh[pousr]_\w{30,255}|"
        r"github_pat_\w{22,255}|glpat-[\w-]{20,60}|xox[abeoprs]-[\w-]{10,255}|"
        r"(?:sk|pk|rk)_(?:live|test)_\w{10,255}|sk-(?:ant-|proj-)?[\w-]{20,255}|AIza[\w-]{35}|"
        r"ya29\.[\w-]{20,500}|SG\.[\w-]{16,64}\.[\w-]{16,64}|hf_\w{30,60}|npm_\w{36}|"
        r"pypi-[\w-]{16,500}|dop_v1_\w{64}|[MN][\w-]{23,25}\.[\w-]{6}\.[\w-]{27,40})",
        (r"(?:AKIA|ASIA|AGPA|AIDA|AROA)[A-Z0-9]{16}", r"gh[pousr]_\w{30}", "github_pat_", "glpat-",
         "xox[abeoprs]-", "(?:sk|pk|rk)_(?:live|test)_", r"sk-[\w-]{20}", "AIza", r"ya29\.",
         r"SG\.", r"hf_\w{30}", r"npm_\w{30}", "pypi-", "dop_v1_",
         r"[MN][\w-]{23,25}\.[\w-]{6}\.[\w-]{27}"),
        1.0, flags=0,
    ),
    # password: hunter22, api_key = "..."
    Rule(
        "SECRET",
        rf"(?<![a-z]){_NAMED}(?:['\"]?\s?[:=]\s?|\s(?:is|was)\s?:?\s?)['\"]?"
        r"(?P<pii>(?=\S*[\d_!@#$%^&*+=/-])[^\s'\",;<>]{6,500})",
        (rf"(?i){_NAMED}(?:['\"]?\s?[:=]|\s(?:is|was)\s?)",), 0.8,
    ),
)  # fmt: skip
