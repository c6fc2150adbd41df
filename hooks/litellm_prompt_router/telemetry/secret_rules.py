"""What counts as a secret in captured text: the forms that issuers document, and values beside names that tell.

In RE2's syntax, one group each: what is masked. A rule of the second kind sees ordinary text too, so its values are
looked at once more (``is_no_secret``). What ``kind`` a masked place was of is counted; docs/reference.md has the table.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from litellm_prompt_router.profile.patterns import compile_pattern
from litellm_prompt_router.profile.profile import ValuePattern


@dataclass(frozen=True, kw_only=True, slots=True)
class SecretRule:
    """A form of secret. ``pattern`` has one group; ``is_loose`` where what it finds may be an ordinary word."""

    kind: str
    what: str
    pattern: str
    is_loose: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class RulePass:
    """Rules that are looked for in one go: the n-th group of ``pattern`` is the n-th rule's."""

    rules: tuple[SecretRule, ...]
    pattern: ValuePattern


def _prefixed(kind: str, what: str, *patterns: str) -> SecretRule:
    return SecretRule(kind=kind, what=what, pattern=f"({'|'.join(patterns)})")


ISSUED = (
    _prefixed(
        "private key",
        "PEM, OpenSSH and PGP private keys, whole, also where the end is missing",
        r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----(?s:.*?)"
        r"(?:-----END [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----|\z)",
        r"\bAGE-SECRET-KEY-1[0-9A-Z]{50,}",
    ),
    _prefixed(
        "model provider",
        "`sk-` keys (OpenAI, Anthropic, LiteLLM, OpenRouter, DeepSeek), Groq, xAI, Replicate, Perplexity, Tavily, "
        "Fireworks, Hugging Face, LangSmith, Pinecone",
        r"\bsk-[A-Za-z0-9_-]{16,}",
        r"\b(?:gsk|xai|r8|tvly|pplx|fw)[_-][A-Za-z0-9]{20,}|\btvly-(?:dev|prod)-[A-Za-z0-9]{16,}|\bhf_[A-Za-z0-9]{20,}",
        r"\blsv2_(?:pt|sk)_[A-Za-z0-9_]{20,}|\bpcsk_[A-Za-z0-9_]{20,}",
    ),
    _prefixed(
        "code host",
        "GitHub, GitLab, Bitbucket and Atlassian tokens",
        r"\bgh[opsur]_[A-Za-z0-9]{20,}|\bgithub_pat_[A-Za-z0-9_]{20,}",
        r"\bgl(?:pat|dt|rt|cbt|ptt|ft|soat|agent|oas)-[A-Za-z0-9_.-]{16,}|\bGR1348941[A-Za-z0-9_-]{16,}",
        r"\bAT(?:ATT|CTT|BB)[A-Za-z0-9][A-Za-z0-9_=-]{20,}",
    ),
    _prefixed(
        "package registry",
        "npm, PyPI, RubyGems, Docker Hub, crates.io tokens",
        r"\bnpm_[A-Za-z0-9]{30,}|\bpypi-[A-Za-z0-9_-]{30,}|\brubygems_[a-f0-9]{40,}|\bdckr_[a-z]{3}_[A-Za-z0-9_-]{20,}",
        r"\bcio[A-Za-z0-9]{32}\b",
    ),
    _prefixed(
        "AWS",
        "AWS access key ids",
        r"\b(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}\b",
    ),
    SecretRule(
        kind="signed URL",
        what="`sig=` of an Azure SAS, `X-Amz-Signature`, `X-Goog-Signature` and their credentials",
        pattern=r"(?i:[?&;]sig=|\bsharedaccesssignature=|\bx-(?:amz|goog)-(?:signature|security-token|credential)=)"
        r"([^\s&\"'<>\\]{12,})",
    ),
    SecretRule(
        kind="Azure",
        what="`AccountKey=` and `SharedAccessKey=` of connection strings, client secrets of Entra ID",
        pattern=r"(?i:\b(?:account|sharedaccess|access)key=)([^\s;&\"'<>\\]{8,})",
    ),
    _prefixed("Azure", "", r"\b[A-Za-z0-9_~.]{3}[0-9]Q~[A-Za-z0-9_~.-]{31,34}"),
    _prefixed(
        "Google",
        "Google API keys, OAuth tokens and client secrets",
        r"\bAIza[A-Za-z0-9_-]{30,}|\bya29\.[A-Za-z0-9_-]{16,}|\bGOCSPX-[A-Za-z0-9_-]{20,}|\b1//0[A-Za-z0-9_-]{30,}",
    ),
    _prefixed(
        "Slack",
        "Slack tokens and webhooks",
        r"\bxox[a-z](?:\.xox[a-z])?-[A-Za-z0-9-]{10,}|\bxapp-[A-Za-z0-9-]{10,}",
    ),
    SecretRule(
        kind="webhook",
        what="webhooks of Slack, Discord, Microsoft Teams, Zapier, Make and Google Chat: what comes behind the host",
        pattern=r"(?i:\bhooks\.slack\.com/(?:services|workflows|triggers)/|\bdiscord(?:app)?\.com/api/(?:v[0-9]+/)?webhooks/"
        r"|\.webhook\.office\.com/webhookb2/|\bhooks\.zapier\.com/hooks/catch/|\bhook\.[a-z0-9.]*make\.com/"
        r"|\bchat\.googleapis\.com/v1/spaces/[^\s\"'<>\\]{0,100}[?&]key=)([^\s\"'<>\\)]{8,})",
    ),
    _prefixed(
        "mail and messages",
        "SendGrid, Mailgun, Mailchimp, Twilio (account and key ids too), Telegram bot tokens",
        r"\bSG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}",
        r"\bkey-[0-9a-f]{32}\b|\b[0-9a-f]{32}-us[0-9]{1,2}\b|\b(?:AC|SK)[0-9a-f]{32}\b",
        r"\b[0-9]{8,10}:AA[A-Za-z0-9_-]{32,}",
    ),
    _prefixed(
        "payment",
        "Stripe, Square and Shopify keys",
        r"\b[rsp]k_(?:live|test)_[A-Za-z0-9]{10,}|\bwhsec_[A-Za-z0-9+/=]{16,}",
        r"\bsq0[a-z]{3}-[A-Za-z0-9_-]{20,}|\bEAAA[a-zA-Z0-9_-]{60}|\bshp(?:at|ca|pa|ss)_[A-Fa-f0-9]{32}",
    ),
    _prefixed(
        "hosting",
        "DigitalOcean, Vault, Doppler, Databricks, Fly, Heroku, PlanetScale, Supabase, Linear, Notion, Airtable, "
        "Postman, Grafana, New Relic, Sentry tokens",
        r"\bdo[opr]_v1_[a-f0-9]{40,}|\bhv[sbr]\.[A-Za-z0-9_-]{20,}|\bdp\.[a-z]{2,6}\.[A-Za-z0-9._-]{20,}",
        r"\bdapi[a-f0-9]{32}|\bfm[12][ar]?_[A-Za-z0-9+/=]{40,}|\bfo1_[A-Za-z0-9_-]{40,}|\bHRKU-[A-Za-z0-9_-]{20,}",
        r"\bpscale_[a-z]+_[A-Za-z0-9_.=-]{20,}|\bsbp_[a-f0-9]{30,}|\bsb_secret_[A-Za-z0-9_-]{16,}",
        r"\blin_(?:api|oauth)_[A-Za-z0-9]{20,}|\bntn_[A-Za-z0-9]{30,}|\bsecret_[A-Za-z0-9]{43}\b",
        r"\bpat[A-Za-z0-9]{14}\.[a-f0-9]{40,}|\bPMAK-[A-Za-z0-9-]{30,}|\bgl(?:sa|c)_[A-Za-z0-9_+/=]{20,}",
        r"\bNRA[KL]-[A-Z0-9]{20,}|\bsntry[su]_[A-Za-z0-9_+/=]{20,}",
    ),
    _prefixed("web token", "JSON web tokens", r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*"),
    _prefixed(
        "password hash",
        "bcrypt, argon2, yescrypt and crypt hashes",
        r"\$(?:2[abxy]|[156y]|apr1|argon2(?:id|i|d))\$[A-Za-z0-9./$=,+]{20,}",
    ),
)
"""Forms that stand for themselves, wherever they are."""

HEADERS = (
    SecretRule(
        kind="authorization",
        what="what comes behind `Bearer`, `Basic` and `Authorization:`, and the base64 of `auth` in Docker's settings",
        pattern=r"(?i:\bbearer\s+|\bbasic\s+)([A-Za-z0-9._~+/-]{16,}=*)",
    ),
    SecretRule(
        kind="authorization",
        what="",
        pattern=r"(?i:\bauthorization\\{0,7}[\"']?\s{0,3}[:=]\s{0,3}\\{0,7}[\"']?"
        r"(?:(?:bearer|basic|token|apikey|key|digest)\s{1,3})?)([^\s\"',;\\<>{}\[\]()]{6,})",
        is_loose=True,
    ),
    SecretRule(
        kind="authorization",
        what="",
        pattern=r"[\"']auth\\{0,7}[\"']\s{0,3}:\s{0,3}\\{0,7}[\"']([A-Za-z0-9+/]{12,400}={0,2})\\{0,7}[\"']",
    ),
    SecretRule(
        kind="URL",
        what="credentials in a URL: passwords, and tokens in a user's place, such as the key of a Sentry DSN",
        pattern=r"://[^\s:/@?#\"'<>\\]{0,200}:([^\s/?#\"'<>\\]{1,200})@",
        is_loose=True,
    ),
    SecretRule(kind="URL", what="", pattern=r"://([A-Za-z0-9_.~%-]{16,})@"),
    SecretRule(
        kind="cookie",
        what="`Cookie:` and `Set-Cookie:` headers, and session cookies by their usual names",
        pattern=r"(?i:\b(?:set-)?cookies?\\{0,7}[\"']?\s{0,3}[:=]\s{0,3}\\{0,7}[\"']?)"
        r"([^\s=;,\"'{}()\\<>]{1,100}=[^\r\n\"'\\]{4,})",
    ),
    SecretRule(
        kind="cookie",
        what="",
        pattern=r"(?i:\b(?:jsessionid|phpsessid|asp\.net_sessionid|aspsessionid[a-z]*|connect\.sid|sess(?:ion)?[_-]?(?:id|key"
        r"|token)?|sid|csrf_?token|xsrf-token|[a-z]+_session)|\b__(?:secure|host)-[a-z0-9._-]+)=([^\s;,\"'&<>\\]{8,})",
        is_loose=True,
    ),
    SecretRule(
        kind="command line",
        what="`--password`, `--token` and the like, `curl -u`, `mysql -p`, `sshpass -p`",
        pattern=r"--(?:[a-z0-9]+-)*(?:password|passwd|pass|passphrase|token|secret|api-?key|access-key|secret-key)"
        r"[ \t]+[\"']?([^\s\"'\\<>$%{}\[\]()|-][^\s\"'\\<>]{3,})",
        is_loose=True,
    ),
    SecretRule(
        kind="command line",
        what="",
        pattern=r"\bcurl\b[^\r\n]{0,300}?\s(?:-u|--user)[ =]?\\{0,7}[\"']?[^\s:\"'\\]{1,100}:([^\s\"'\\]{3,})",
        is_loose=True,
    ),
    SecretRule(
        kind="command line",
        what="",
        pattern=r"(?:\bmysql[a-z]*\b[^\r\n|]{0,200}?\s-p|\bsshpass\s{1,3}-p\s{0,3})[\"']?([^\s\"'\\<>$-][^\s\"'\\]{2,})",
    ),
)

_QUOTE_END = r"[\\\"'`*\])]{0,40}"
_SEPARATOR = rf"{_QUOTE_END}[ \t]{{0,8}}(?:=>|:=|[:=])[*`]{{0,3}}[ \t]{{0,8}}\*{{0,2}}"
_QUOTED = r'(?:"(?:[^"\\\r\n]|\\.){1,400}|\'(?:[^\'\\\r\n]|\\.){1,400})'


def _beside(kind: str, what: str, names: str, least: int) -> tuple[SecretRule, ...]:
    """Values beside these names: between quotes, between quotes that are escaped in turn, and without any."""
    start = rf"{names}{_SEPARATOR}"
    return (
        SecretRule(kind=kind, what=what, pattern=rf'{start}"((?:[^"\\\r\n]|\\.){{{least},400}})', is_loose=True),
        SecretRule(kind=kind, what="", pattern=rf"{start}'((?:[^'\\\r\n]|\\.){{{least},400}})", is_loose=True),
        SecretRule(kind=kind, what="", pattern=rf"{start}\\+[\"']([^\"'\\\r\n]{{{least},400}})", is_loose=True),
        SecretRule(
            kind=kind,
            what="",
            pattern=rf"{start}([^\s\"'`\\,;<>{{}}\[\]()$%*&|#=][^\s\"'`\\,;<>]{{{least - 1},}})",
            is_loose=True,
        ),
    )


_PASSWORDS = (
    r"(?:(?i:passwords?|passwd|passphrase|passcode|pwd|passwort|kennwort|contraseña|mot de passe|пароль"
    r"|密码|パスワード)[0-9]?"
    r"|(?:\b[a-zA-Z0-9]+[_-]|\b)(?i:pass|pw)[0-9]?)"
)
_TOKENS = (
    r"(?:(?:\b|_)(?i:api[_-]?keys?|(?:secret[_-]?)?access[_-]?key(?:[_-]?id)?"
    r"|(?:access|auth|refresh|id|session|bearer)[_-]?token"
    r"|(?:client|app|consumer|webhook|signing|shared)[_-]?secret|secret[_-]?key(?:[_-]?base)?|private[_-]?key(?:[_-]?id)?"
    r"|(?:account|encryption|signing|master|license)[_-]?key|secret|token|credentials?|authtoken)[0-9]?"
    r"|[a-z0-9](?:ApiKey|APIKey|AccessKey|SecretKey|PrivateKey|Secret|Token|Password|Passwd|Pwd))"
)
NAMED = (
    *_beside("password", "a value beside `password`, `DB_PASS` and the like, from three characters on", _PASSWORDS, 3),
    SecretRule(
        kind="password",
        what="",
        pattern=r"(?i:\b(?:password|passphrase|passcode|passwort|kennwort)\s{1,3}(?:is|ist|lautet|was|will be)"
        r"\s{0,2}:?\s{1,3})[\"'`*]{0,3}([^\s\"'`\\<>{}\[\]()$*]{4,})",
        is_loose=True,
    ),
    *_beside(
        "key or token",
        "a value beside `api_key`, `client_secret`, `token`, `private_key_id` and the like, from eight characters on",
        _TOKENS,
        8,
    ),
    SecretRule(
        kind="code",
        what="digits beside `CVV`, `PIN`, `OTP`, `verification code`",
        pattern=r"(?i:\b(?:cv[vc]2?|pin(?:[ _-]?code)?|otp|2fa|one-time (?:code|password)"
        rf"|(?:verification|security|mfa) code){_SEPARATOR}\\?[\"']?)([0-9]{{3,8}})\b",
    ),
)
"""Values beside what names a secret, in an assignment, in JSON, in YAML, in a sentence."""

PASSES = tuple(
    RulePass(rules=rules, pattern=compile_pattern("|".join(rule.pattern for rule in rules)))
    for rules in (ISSUED, HEADERS, NAMED)
)

SECRET_NAME = compile_pattern(
    r"(?i:.*[_.-])?(?i:api[_-]?key|(?:proxy-)?authorization|pass|passwords?|passwd|passphrase|passcode|pwd|secret"
    r"|secret[_-]?(?:access[_-]?)?key|access[_-]?key(?:[_-]?id)?|(?:access|auth|refresh|session|id|bearer)[_-]?token|token"
    r"|(?:client|app|consumer|webhook|signing)[_-]?secret|private[_-]?key(?:[_-]?id)?|account[_-]?key|credentials?"
    r"|(?:set-)?cookies?|connection[_-]?string|dsn|cv[vc]2?|otp|passwort|kennwort)"
    r"|.*[a-z0-9](?:ApiKey|APIKey|AccessKey|SecretKey|PrivateKey|Secret|Token|Password|Passwd|Pwd|ConnectionString)"
)
"""The name of a field whose whole text is a secret, however it looks."""
_DOCKER_AUTH = compile_pattern(r"[A-Za-z0-9+/]{12,400}={0,2}")
"""Docker's ``auths: {HOST: {auth: base64 of user:password}}``; ``auth`` names other things too."""
_WHEN_LONG = compile_pattern(r"(?i)auth|token")
LONG_CHARS = 8

_NO_VALUES = frozenset(
    {"string", "str", "text", "none", "null", "nil", "true", "false", "undefined", "required", "optional", "redacted"}
    | {"hidden", "masked", "secret", "password", "token", "bytes", "int", "integer", "number", "bool", "boolean", "any"}
    | {"object", "void", "unknown", "empty", "missing", "invalid", "yes", "no", "value", "varchar", "char"}
)
_STANDS_FOR = re.compile(
    r"[$%<{*\[(]|x{3,}|\.{3}|(?:your|my|the|some|an?|example|dummy|insert|enter|new|old|current)[_-][A-Za-z_-]+$"
    r"|(?:os|process|self|this|config|settings|env|environ|secrets|vars|request|req|args|options|opts|props|ctx|context|user"
    r"|params|body|import|st|form|input|inputs|app|github|var|local|module|payload|data|credentials|getpass|client|response)"
    r"\.[A-Za-z_]|[A-Za-z_][\w.]*[(\[]|[A-Za-z_]*(?:key|token|secret|password|passwd|pwd|KEY|TOKEN|SECRET|PASSWORD)s?$"
    r"|(.)\1*$",
    re.ASCII,
)
_WORD = re.compile(r"[A-Za-z]+(?:['’][a-z]+)?[.:!?]?", re.ASCII)
_ENDS_VALUE = frozenset("\r\n\"'`\\,;&|@")


def is_no_secret(value: str, text: str, start: int, end: int) -> bool:
    """True for what stands beside a telling name and isn't a secret: a type, a placeholder, a variable, prose."""
    if value.lower().rstrip(".,:!?") in _NO_VALUES or _STANDS_FOR.match(value) is not None:
        return True
    if _WORD.fullmatch(value) is None or text[start - 1 : start] in ("=", '"', "'", "@"):
        return False
    # A bare word is a value where nothing comes behind it, as in YAML, and prose where the sentence goes on.
    return not (end == len(text) or text[end] in _ENDS_VALUE) or value[-1] in ".:!?"


def is_secret_name(name: str, value: object) -> bool:
    """True where a JSON field of this name holds a secret, as text."""
    if name == "auth" and isinstance(value, str) and _DOCKER_AUTH.fullmatch(value) is not None:
        return True
    if not isinstance(value, str) or not value or SECRET_NAME.fullmatch(name) is None:
        return False
    return _WHEN_LONG.fullmatch(name) is None or (len(value) >= LONG_CHARS and not any(map(str.isspace, value)))
