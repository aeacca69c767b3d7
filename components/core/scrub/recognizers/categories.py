"""Special categories of personal data (GDPR, article 9): words that disclose them about a person.

The entity is off by default: in most texts these words are the subject, and alone they name nobody.
"""

from __future__ import annotations

from components.core.scrub.recognizers.rule import Rule

_WHO = r"(?:i|he|she|they|we|patient|pt|client|employee|applicant|who|wife|husband|son|daughter|mother|father|partner|mr|mrs|ms)"
_LABELS = (
    r"(?:diagnos[ei]s|diagnosed with|medical condition|condition|disability|illness|allerg(?:y|ies)|"
    r"medication|blood type|religion|faith|denomination|confession|ethnicity|ethnic origin|race|"
    r"sexual orientation|orientation|gender identity|political (?:views?|opinions?|affiliation|party)|"
    r"party membership|(?:trade )?union(?: membership)?|genetic (?:test|data)|biometric(?: data| id)?|"
    r"fingerprint)"
)
_STATES = (
    r"(?:hiv[ -]?positive|hiv\+|pregnant|diabetic|epileptic|autistic|bipolar|schizophreni[ac]|depress(?:ed|ion)|"
    r"suicidal|anorexi[ac]|bulimi[ac]|alcoholic|infertile|disabled|immunocompromised|in rehab|"
    r"an? (?:abortion|miscarriage|std|sti|transplant)|cancer|dementia|alzheimer'?s|parkinson'?s|asthma|"
    r"epilepsy|hepatitis(?: [a-e])?|aids|multiple sclerosis|tuberculosis|ptsd|adhd|"
    r"gay|lesbian|bisexual|homosexual|transgender|trans|non-binary|queer|asexual|"
    r"muslim|jewish|catholic|protestant|hindu|sikh|buddhist|mormon|atheist|christian|orthodox|"
    r"(?:a )?(?:union|party) member|a (?:communist|socialist|conservative|republican|democrat)|"
    r"(?:of )?(?:roma|romani|african|asian|arab|kurdish|jewish|hispanic|latino|indigenous) (?:origin|descent|ethnicity))"
)

RULES = (
    # "Diagnosis: asthma", "religion - Catholic"
    Rule(
        "SPECIAL_CATEGORY",
        rf"(?<!\w){_LABELS}\s?(?::|=|–| - | is | was )\s?(?P<pii>[^\W\d_][^\n,;.:()]{{1,60}})",
        (rf"(?i)\b{_LABELS}",), 0.7,
    ),
    # "she is pregnant", "I have epilepsy"
    Rule(
        "SPECIAL_CATEGORY",
        rf"(?<!\w){_WHO}(?:'(?:s|m|re|ve)| (?:is|am|are|was|were|has|have|had|suffers from|suffered from|came out as|identifies as))"
        rf"(?: (?:also|been|now|openly|still|not|recently|diagnosed with|a|an|practising|devout|of)){{0,3}} (?P<pii>{_STATES})(?!\w)",
        (rf"(?i)\b{_STATES}",), 0.6,
    ),
)  # fmt: skip
