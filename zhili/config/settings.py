"""Settings. Everything an administrator may change comes from the environment; secrets come from ZHILI_VAR/keys."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from zhili.common import logs
from zhili.common.outgoing import read_origins
from zhili.config import embedded
from zhili.config.smtp import read_smtp

ROOT = Path(__file__).resolve().parents[2]
VAR = embedded.var_dir()
SECRETS = embedded.read_secrets(VAR)
# Stretched: Django wants to see 50 characters of it.
SECRET_KEY = hashlib.sha512(b"zhili/django " + SECRETS["django"].encode()).hexdigest()
DEBUG = False
# demo: invented data, plain http on this machine. production: https only.
MODE = os.environ.get("ZHILI_MODE", "demo")
ALLOWED_HOSTS = os.environ.get("ZHILI_HOSTS", "127.0.0.1,localhost,testserver").split(",")
PUBLIC_URL = os.environ.get("ZHILI_URL", "http://127.0.0.1:8000")

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "django_htmx",
    "rules",
    "pgtrigger",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.socialaccount",
    "zhili.integrations.weixin",
    "zhili.integrations.dingtalk",
    "django_tasks",
    "django_tasks_db",
    "zhili.common",
    "zhili.audit",
    "zhili.places",
    "zhili.people",
    "zhili.ledger",
    "zhili.rulebook",
    "zhili.claims",
    "zhili.notices",
    "zhili.shop",
    "zhili.honours",
    "zhili.privacy",
    "zhili.web",
    "zhili.config",
]

MIDDLEWARE = [
    "zhili.web.request_log.request_log",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "zhili.web.middleware.security_headers",
    "zhili.config.metrics.count_requests",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "zhili.web.middleware.one_transaction",
    "zhili.web.readonly.read_only",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "zhili.web.support.as_supported",
    "zhili.web.middleware.scope_of_person",
    "zhili.web.doorkeeper.doorkeeper",
]

ROOT_URLCONF = "zhili.config.urls"
WSGI_APPLICATION = "zhili.config.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "zhili.web.shell.context",
            ],
            "builtins": ["zhili.web.templatetags.zhili"],
        },
    }
]

# The application's role. Migrations and maintenance borrow the owner's in config/setup.py; no request ever does.
DATABASES = {
    "default": {**embedded.logins()["app"].as_django(), "CONN_MAX_AGE": 60, "CONN_HEALTH_CHECKS": True}
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

AUTH_USER_MODEL = "people.User"
AUTHENTICATION_BACKENDS = [
    "rules.permissions.ObjectPermissionBackend",
    "allauth.account.auth_backends.AuthenticationBackend",
]
# Standards disagree about passwords, so the county chooses (N-04, docs/login.md). asvs: long, no composition, no
# rotation, lists of common ones. gbt (GB/T 22239): three kinds of signs, a new one every PASSWORD_MAX_DAYS.
_VALIDATION = "django.contrib.auth.password_validation"
# A longer list of breached passwords may be given, one a line, gzipped or not.
_COMMON = (
    {"password_list_path": os.environ["ZHILI_PASSWORD_LIST"]} if os.environ.get("ZHILI_PASSWORD_LIST") else {}
)
_ALWAYS = [
    {"NAME": f"{_VALIDATION}.CommonPasswordValidator", "OPTIONS": _COMMON},
    {"NAME": f"{_VALIDATION}.UserAttributeSimilarityValidator"},
    {"NAME": "zhili.people.passwords.Common"},
]
PASSWORD_PROFILES = {
    "asvs": [
        {"NAME": f"{_VALIDATION}.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
        {"NAME": "zhili.people.passwords.OurWords"},
        *_ALWAYS,
    ],
    "gbt": [
        {"NAME": f"{_VALIDATION}.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
        {"NAME": "zhili.people.passwords.ThreeKinds"},
        *_ALWAYS,
    ],
}
PASSWORD_PROFILE = os.environ.get("ZHILI_PASSWORD_PROFILE", "asvs")
PASSWORD_MAX_DAYS = int(os.environ.get("ZHILI_PASSWORD_DAYS", "90"))
AUTH_PASSWORD_VALIDATORS = PASSWORD_PROFILES[PASSWORD_PROFILE]
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.ScryptPasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
LOGIN_URL = "/login/"
LOGIN_REDIRECT_URL = "/"
ACCOUNT_LOGOUT_REDIRECT_URL = "/"
CSRF_FAILURE_VIEW = "zhili.web.home.csrf_failure"
ACCOUNT_LOGIN_METHODS = {"username"}
ACCOUNT_SIGNUP_FIELDS = ["username*", "password1*"]
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_ADAPTER = "zhili.web.accounts.Adapter"
ACCOUNT_RATE_LIMITS = (
    False  # our own, in the database and shared by all processes: common/limits.py, web/rates.py
)
ACCOUNT_REAUTHENTICATION_REQUIRED = False  # asked by common.policy.reauthenticated, in our own words
ACCOUNT_SESSION_REMEMBER = True  # how long is decided by role in web/doorkeeper.py
SESSION_COOKIE_AGE = 180 * 86400
# Second factor for everybody with a role (N-02): required | optional; `level3` (等保三级) also demands a passkey.
SECOND_FACTOR = os.environ.get("ZHILI_SECOND_FACTOR", "required" if MODE == "production" else "optional")
MFA_ADAPTER = "zhili.web.factors.Adapter"
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_TOTP_ISSUER = "智理"
MFA_RATE_LIMITS = False
MFA_RECOVERY_CODE_COUNT, MFA_RECOVERY_CODE_DIGITS = 10, 10
MFA_WEBAUTHN_ALLOW_INSECURE_ORIGIN = MODE != "production"
# Ask once more who it is before what shows much or cannot be undone (N-09).
REAUTHENTICATE = "zhili.web.again.ask"
REAUTHENTICATE_MINUTES = 15
# A role's session ends after so many idle minutes, and after so many hours in any case (N-06).
SESSION_STAFF_IDLE_MINUTES, SESSION_STAFF_HOURS = 30, 12
SESSION_VILLAGER_IDLE_DAYS, SESSION_VILLAGER_DAYS = 90, 180
# All limits of web/rates.py times this, for a county whose offices share one address.
RATE_SCALE = float(os.environ.get("ZHILI_RATE_SCALE", "1"))
# Codes to a phone: by dotted path, send(number, code).
PHONE_CODE_SENDER = os.environ.get("ZHILI_SMS", "zhili.integrations.sms.console.send")
SMS: dict[str, str] = {
    name: os.environ.get(f"ZHILI_SMS_{name.upper()}", "")
    for name in ("url", "key", "secret", "template", "sign", "signer")
}
SOCIALACCOUNT_ADAPTER = "zhili.web.identities.Adapter"
# A link, since a form may not lead outside (CSP); the answer must carry the state this session was given.
SOCIALACCOUNT_LOGIN_ON_GET = True
SOCIALACCOUNT_STORE_TOKENS = False


def _apps(name: str, *kinds: str) -> dict[str, object]:
    """ZHILI_WEIXIN_MP=appid:secret → the app allauth asks; nothing set, nothing offered."""
    given = [(kind, os.environ.get(f"ZHILI_{name}{'_' + kind if kind else ''}", "")) for kind in kinds]
    return {
        "APPS": [
            {
                "client_id": text.partition(":")[0],
                "secret": text.partition(":")[2],
                "settings": {"kind": kind.lower()},
            }
            for kind, text in given
            if text
        ]
    }


SOCIALACCOUNT_PROVIDERS = {"weixin": _apps("WEIXIN", "MP", "WEB"), "dingtalk": _apps("DINGTALK", "")}

LANGUAGE_CODE = "zh-hans"
TIME_ZONE = "Asia/Shanghai"
USE_TZ = True
USE_I18N = True

STATIC_URL = "/static/"
STATIC_ROOT = ROOT / ".cache" / "static"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}
# Personal fields: international (intl) or 国密 (gm) algorithms for new keys; the keys lie outside the database and
# outside its backups (docs/personal-data.md).
CIPHER_PROFILE = os.environ.get("ZHILI_CIPHER", "intl")
PEOPLE_KEYS = Path(os.environ.get("ZHILI_PEOPLE_KEYS") or VAR / "keys" / "people.json")
# More complete numbers than this looked at by one person within an hour raise an alarm.
UNMASK_ALARM_PER_HOUR = int(os.environ.get("ZHILI_UNMASK_ALARM", "10"))
# Photos belong to their database: another database of the same server keeps its own.
PHOTO_ROOT = VAR / "-".join(["photos", *filter(None, [os.environ.get("ZHILI_DATABASE")])])
# The switch of the read-only mode (common/readonly.py).
READONLY_FILE = VAR / "readonly.json"
DATA_UPLOAD_MAX_MEMORY_SIZE = 12 * 1024 * 1024
FILE_UPLOAD_MAX_MEMORY_SIZE = 12 * 1024 * 1024
DATA_UPLOAD_MAX_NUMBER_FIELDS = 2000

CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
if MODE == "production":
    SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = True
    SESSION_COOKIE_NAME, CSRF_COOKIE_NAME = "__Host-session", "__Host-csrf"
    SECURE_SSL_REDIRECT = True
    # The watchman asks on the machine itself, behind the proxy that speaks https.
    SECURE_REDIRECT_EXEMPT = [r"^health$", r"^metrics$"]
    SECURE_HSTS_SECONDS = 31_536_000
    SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = True
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")

TASKS = {"default": {"BACKEND": "django_tasks_db.DatabaseBackend"}}
EMAIL_BACKEND = "django.core.mail.backends.console.EmailBackend"
# One JSON object per line, without personal data, kept half a year at least (common/logs.py, docs/audit.md).
LOG_DIR = Path(os.environ.get("ZHILI_LOG_DIR") or VAR / "logs")
# A folder of another machine that gets the same lines (O-02); empty: none, and 安全自查 says so.
LOG_COPY = os.environ.get("ZHILI_LOG_COPY", "")
LOG_DAYS = logs.read_log_days(os.environ.get("ZHILI_LOG_DAYS", ""))
LOGGING = logs.configuration(LOG_DIR)
# How many proxies of our own stand before this server; only they are believed about a caller's address.
PROXIES = int(os.environ.get("ZHILI_PROXIES", "0"))
SILENCED_SYSTEM_CHECKS: list[str] = []

# What leaves the house (common/outbox.py): kind → who sends it.
OUTBOX = {
    "mail": "zhili.common.outbox_adapters.mail",
    "file": "zhili.common.outbox_adapters.file_drop",
    "console": "zhili.common.outbox_adapters.console",
}
# ZHILI_SMTP=smtp://user:password@host:port, smtps:// for TLS from the first byte, smtp+starttls:// for STARTTLS.
OUTBOX_SMTP = read_smtp(os.environ.get("ZHILI_SMTP", ""))
OUTBOX_FROM = os.environ.get("ZHILI_MAIL_FROM", "zhili@localhost")
OUTBOX_DROP = Path(os.environ.get("ZHILI_DROP") or VAR / "drop")

# The only servers of others this house speaks to (common/outgoing.py): origins with commas.
OUTGOING_ORIGINS = read_origins(os.environ.get("ZHILI_OUTGOING", ""))
