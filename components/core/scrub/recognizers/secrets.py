"""Rules for credentials: API keys, tokens, private keys, webhooks, passwords."""

from __future__ import annotations

import re

from components.core.scrub.recognizers.rule import Rule, gate

# Words for a password, in the languages of Europe and some of Asia.
_PASSWORDS = (
    "password", "passwords", "passwd", "passphrase", "passcode", "passwort", "kennwort", "losung",
    "mot de passe", "mdp", "contraseña", "contrasena", "clave de acceso", "senha", "palavra-passe",
    "parola d'ordine", "wachtwoord", "hasło", "haslo", "пароль", "lösenord", "adgangskode", "kodeord",
    "passord", "salasana", "şifre", "sifre", "parolă", "parola", "heslo", "jelszó", "κωδικός",
    "lozinka", "geslo", "парола", "كلمة المرور", "كلمة السر", "סיסמה", "पासवर्ड", "密码", "密碼", "パスワード",
    "비밀번호", "รหัสผ่าน", "mật khẩu", "kata sandi",
)  # fmt: skip
_NAMED = (
    r"(?:pwd|pass|api[ _-]?key|secret(?:[ _-]?key)?|access[ _-]?(?:key|token)|auth[ _-]?token|"
    r"client[ _-]?secret|bearer|token|account[ _-]?key|private[ _-]?key|encryption[ _-]?key|"
    r"shared[ _-]?access[ _-]?key|connection[ _-]?string|credentials?|"
    + "|".join(map(re.escape, _PASSWORDS))
    + ")"
)
_ASSIGNED = r"(?:['\"]?\s?(?:[:=：]=?|=>|->)\s?|\s(?:is|was|ist|est|es|è|é|jest)\s?:?\s?)"
_STRONG = r"(?=\S*[\d_!@#$%^&*+=/-])"  # "password: required" is none

# Vendors' tokens: their form and what Hyperscan looks for.
_TOKENS = (
    (r"(?:AKIA|ASIA|AGPA|AIDA|AROA|ABIA|ACCA)[A-Z0-9]{16}", r"A[A-Z]{3}[A-Z0-9]{16}"),  # AWS
    (r"gh[pousr]_\w{30,255}", r"gh[pousr]_\w{30}"),  # GitHub
    (r"github_pat_\w{22,255}", "github_pat_"),
    (r"gl(?:pat|ptt|dt|rt|cbt|ft|imt|agent|soat|oas)-[\w-]{16,64}", r"gl[a-z]{2,5}-[\w-]{16}"),  # GitLab
    (r"xox[abeoprs]-[\w-]{10,255}|xapp-\d-[\w-]{20,255}", "xox[abeoprs]-|xapp-"),  # Slack
    (r"(?:sk|pk|rk)_(?:live|test)_\w{10,255}|whsec_\w{24,80}", "_(?:live|test)_|whsec_"),  # Stripe
    (r"sk-(?:ant-|proj-|svcacct-|or-v1-|lf-)?[\w-]{20,255}", r"sk-[\w-]{20}"),  # OpenAI, Anthropic
    (r"AIza[\w-]{35}", "AIza"),  # Google
    (r"ya29\.[\w-]{20,500}|1//0[\w-]{30,200}|GOCSPX-[\w-]{20,60}", r"ya29\.|1//0|GOCSPX-"),
    (r"SG\.[\w-]{16,64}\.[\w-]{16,64}", r"SG\."),  # SendGrid
    (r"hf_\w{30,60}|api_org_\w{30,60}", r"hf_\w{30}|api_org_\w{30}"),  # Hugging Face
    (r"npm_\w{36}", r"npm_\w{30}"),
    (r"pypi-[\w-]{16,500}", "pypi-"),
    (r"do[oprt]_v1_\w{40,80}", "do[oprt]_v1_"),  # DigitalOcean
    (r"[MNO][\w-]{23,25}\.[\w-]{6}\.[\w-]{27,40}", r"[MNO][\w-]{23,25}\.[\w-]{6}\.[\w-]{27}"),  # Discord
    (r"shp(?:at|ca|pa|ss|rka)_[0-9a-fA-F]{32}", "shp(?:at|ca|pa|ss|rka)_"),  # Shopify
    (r"(?:SK|AC)[0-9a-f]{32}", "(?:SK|AC)[0-9a-f]{32}"),  # Twilio
    (r"dapi[0-9a-f]{32}(?:-\d)?", "dapi[0-9a-f]{32}"),  # Databricks
    (r"key-[0-9a-f]{32}|[0-9a-f]{32}-[0-9a-f]{8}-[0-9a-f]{8}",
     "key-[0-9a-f]{32}|[0-9a-f]{32}-[0-9a-f]{8}-[0-9a-f]{8}"),  # Mailgun
    (r"[0-9a-f]{32}-us\d{1,2}", r"[0-9a-f]{32}-us\d"),  # Mailchimp
    (r"(?:bot)?\d{8,10}:[A-Za-z][\w-]{34}", r"\d{8,10}:[A-Za-z][\w-]{34}"),  # Telegram
    (r"sb[pv]_[0-9a-f]{40}|sb_(?:secret|publishable)_[\w-]{20,80}", "sb[pv]_|sb_(?:secret|pub)"),  # Supabase
    (r"EAA[A-Za-z0-9]{40,300}", r"EAA[A-Za-z0-9]{40}"),  # Facebook
    (r"sq0[a-z]{3}-[\w-]{22,60}|EAAA[\w-]{56,64}", "sq0[a-z]{3}-|EAAA"),  # Square
    (r"lin_(?:api|oauth)_\w{32,64}", "lin_(?:api|oauth)_"),  # Linear
    (r"(?:ntn|secret)_[A-Za-z0-9]{40,50}", r"(?:ntn|secret)_\w{40}"),  # Notion
    (r"pat[A-Za-z0-9]{14}\.[0-9a-f]{64}", r"pat[A-Za-z0-9]{14}\.[0-9a-f]{64}"),  # Airtable
    (r"PMAK-[0-9a-f]{24}-[0-9a-f]{34}", "PMAK-"),  # Postman
    (r"NRAK-[A-Z0-9]{27}|NRII-[\w-]{32}|[0-9a-f]{36}NRAL", "NRAK-|NRII-|NRAL"),  # New Relic
    (r"gl(?:sa|c)_[\w=+/-]{32,120}", "gl(?:sa|c)_"),  # Grafana
    (r"sntry[su]_[\w=+/-]{40,200}", "sntry[su]_"),  # Sentry
    (r"hv[sbr]\.[\w-]{24,200}|s\.[A-Za-z0-9]{24}", r"hv[sbr]\.|s\.[A-Za-z0-9]{24}"),  # HashiCorp Vault
    (r"[A-Za-z0-9]{14}\.atlasv1\.[\w-]{60,80}", "atlasv1"),  # Terraform
    (r"ATATT3[\w=-]{100,250}|ATBB[A-Za-z0-9]{32}|ATCTT3[\w=-]{50,250}", "ATATT3|ATBB|ATCTT3"),  # Atlassian
    (r"dckr_pat_[\w-]{20,60}", "dckr_pat_"),  # Docker
    (r"rubygems_[0-9a-f]{48}", "rubygems_"),
    (r"oy2[a-z0-9]{43}", "oy2[a-z0-9]{43}"),  # NuGet
    (r"fo1_[\w-]{43}|FlyV1 [\w=+/,-]{20,800}", "fo1_|FlyV1 "),  # Fly
    (r"figd_[\w-]{40,60}", "figd_"),  # Figma
    (r"xkeysib-[0-9a-f]{64}-\w{16}", "xkeysib-"),  # Brevo
    (r"re_[A-Za-z0-9]{8}_[A-Za-z0-9]{20,40}", r"re_[A-Za-z0-9]{8}_"),  # Resend
    (r"pscale_(?:tkn|pw|oauth)_[\w.=-]{32,64}", "pscale_"),  # PlanetScale
    (r"AGE-SECRET-KEY-1[A-Z0-9]{58}", "AGE-SECRET-KEY-"),
    (r"(?:rdme|pul|sgp|gsk|r8|tvly|phc|phx|nvapi|pplx|xai|csk|cfut|vercel|vcp|whk|ops|dp\.pt|dp\.st)[_.-][\w-]{28,200}",
     r"(?:rdme|pul|sgp|gsk|r8|tvly|phc|phx|nvapi|pplx|xai|csk|cfut|vercel|vcp|whk|ops|dp\.pt|dp\.st)[_.-][\w-]{28}"),
    (r"CFPAT-[\w-]{43}|waka_[0-9a-f-]{36}|HRKU-[0-9a-zA-Z_-]{36,80}|lsv2_(?:pt|sk)_\w{32,60}",
     "CFPAT-|waka_|HRKU-|lsv2_"),
)  # fmt: skip
_WEBHOOKS = (
    r"hooks\.slack(?:-gov)?\.com/(?:services|workflows|triggers)/|discord(?:app)?\.com/api/(?:v\d+/)?webhooks/|"
    r"[\w.-]+\.webhook\.office\.com/|outlook\.office(?:365)?\.com/webhook/|hooks\.zapier\.com/hooks/|"
    r"maker\.ifttt\.com/trigger/|hook\.(?:[a-z0-9]+\.)?make\.com/|hook\.integromat\.com/|"
    r"api\.telegram\.org/bot|chat\.googleapis\.com/v1/spaces/|events\.pagerduty\.com/integration/|"
    r"[\w.-]+\.logic\.azure\.com(?::\d+)?/workflows/|open\.feishu\.cn/open-apis/bot/|"
    r"oapi\.dingtalk\.com/robot/send|qyapi\.weixin\.qq\.com/cgi-bin/webhook|"
    r"[\w.-]+/hooks/[a-z0-9]{26}|api\.opsgenie\.com/v1/json/|alert\.victorops\.com/integrations/|"
    r"webhook\.site/|hooks\.[\w.-]+/"
)
_USERS = r"(?:-u|--user|--proxy-user|-U)[ =]?"

RULES = (
    Rule(
        "SECRET",
        r"-----BEGIN [A-Z0-9 ]{0,30}PRIVATE KEY(?: BLOCK)?-----.{0,20000}?"
        r"(?:-----END [A-Z0-9 ]{0,30}PRIVATE KEY(?: BLOCK)?-----|\Z)",
        ("-----BEGIN",), 1.0, flags=re.DOTALL,
    ),
    # JSON Web Token, RFC 7519: header.payload.signature
    Rule(
        "SECRET", r"(?<![\w-])eyJ[\w-]{8,4000}\.[\w-]{8,8000}\.[\w-]{0,2000}",
        (r"eyJ[A-Za-z0-9_-]{8}",), 1.0, flags=0,
    ),
    Rule(
        "SECRET", rf"(?<![\w-])(?:{'|'.join(form for form, _ in _TOKENS)})(?![A-Za-z0-9])",
        tuple(gate for _, gate in _TOKENS), 1.0, flags=0,
    ),
    Rule(
        "SECRET", rf"https?://(?:{_WEBHOOKS})[^\s<>\"'`]{{4,1000}}[^\s<>\"'`.,;:!?)\]}}]",
        (r"(?i)https?://[^\s/]{0,100}(?:hooks?|discord|office|telegram|googleapis|pagerduty|azure|"
         r"feishu|dingtalk|weixin|opsgenie|victorops|ifttt|[^\s]{0,60}/hooks/)",), 1.0,
    ),
    # curl -u ann:hunter22, mysql -phunter22, sshpass -p hunter22
    Rule(
        "SECRET", rf"(?:curl|wget|http)\b[^\n]{{0,300}}?\s{_USERS}['\"]?(?P<pii>[^\s:'\"]{{1,64}}:[^\s'\"]{{1,200}})",
        (r"(?:curl|wget|http).{0,300}\s(?:-u|--user|--proxy-user|-U)",), 1.0,
    ),
    Rule(
        "SECRET",
        r"(?:(?:mysql|mariadb)[^\n]{0,200}?\s-p|sshpass\s{1,3}-p\s?['\"]?)(?P<pii>[^\s'\"]{3,100})",
        (r"(?:mysql|mariadb).{0,200} -p[^\s]", r"sshpass\s+-p"), 1.0, flags=0,
    ),
    Rule(
        "SECRET", r"(?<![a-z])(?:basic|bearer|apikey|digest|token)\s+(?P<pii>(?=[\w+/=.~-]*\d)[\w+/=.~-]{16,2000})",
        (r"(?i)(?:basic|bearer|apikey|digest|token)\s+[\w+/=.~-]{16}",), 0.9,
    ),
    # password: hunter22, PGPASSWORD=..., Passwort: ..., pass := "...", api_key = "..."
    Rule(
        "SECRET",
        rf"(?:(?<![a-z])|(?<=[a-z_]_)|(?<=\bpg)|(?<=\bmy)|(?<=\bdb))(?:\w{{1,30}}[_-])?{_NAMED}{_ASSIGNED}"
        rf"['\"“„«]?(?P<pii>{_STRONG}[^\s'\",;<>“”»]{{6,500}})",
        (r"(?i)(?:pwd|pass(?:word|wd|wort|phrase|code)?s?|key|secret|token|bearer|string|credentials?)(?:['\"]?\s?[:=]|\s?[-=]>|\s(?:is|was|ist|est|es)\s)",
         gate(*_PASSWORDS)), 0.8,
    ),
)  # fmt: skip
