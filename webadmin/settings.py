"""The settings; each that may differ between installations comes from the environment (docs/settings.md)."""

from pathlib import Path
from urllib.parse import urlsplit

import django
from csp.constants import NONCE, NONE, SELF

from vms.domain.transcript import Retention

from .environment import Environment, field_keys, kept_secret, new_field_key

BASE_DIR = Path(__file__).resolve().parent.parent
env = Environment(eager=True)

# Where all state lies: database, secrets, boot files, the private hypervisor, sockets.
DATA_DIR = env.directory("DATA_DIR", BASE_DIR / "var")
RUN_DIR = DATA_DIR / "run"
BOOT_DIR = DATA_DIR / "boot"
UPLOAD_DIR = DATA_DIR / "uploads"  # images on their way to a storage domain
SERIAL_DIR = DATA_DIR / "serial"  # what serial consoles said
SERIAL_RETENTION = Retention(runs=env.number("SERIAL_RUNS", 10, 1, 1000), days=env.number("SERIAL_DAYS", 30, 1, 3650))

PORT = env.number("PORT", 8000, 1, 65535)
SSH_PORT = env.number("SSH_PORT", 2222, 0, 65535)  # 0: no SSH door
HYPERVISOR = env.choice_or_uri("HYPERVISOR", "auto", ("auto", "memory"))
ACCELERATOR = env.choice("ACCELERATOR", "auto", ("auto", "kvm", "tcg"))
NETWORKS = env.choice("NETWORKS", "auto", ("auto", "user"))

DEBUG = env.switch("DEBUG", default=False)
SECRET_KEY = env.str("SECRET_KEY", "") or kept_secret(DATA_DIR / "secrets" / "secret_key")
# Keys of the encrypted columns, newest first; outside the database, so that a copy of it gives nothing away.
FIELD_KEYS = field_keys(env.list("FIELD_KEYS", []) or [kept_secret(DATA_DIR / "secrets" / "field_key", new_field_key)])

# The addresses that browsers use; behind a proxy with TLS: https://vms.example.org
ORIGINS = env.origins("ORIGINS")
ALLOWED_HOSTS = ["localhost", "127.0.0.1", "[::1]", *filter(None, (urlsplit(origin).hostname for origin in ORIGINS))]
CSRF_TRUSTED_ORIGINS = ORIGINS
CSRF_FAILURE_VIEW = "vms.web.accounts.stale_token"
SECURE = bool(ORIGINS) and all(origin.startswith("https://") for origin in ORIGINS)
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if SECURE else None
SECURE_HSTS_SECONDS = 31_536_000 if SECURE else 0
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE
SESSION_COOKIE_AGE = env.number("SESSION_HOURS", 12, 1, 24 * 30) * 3600
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"

INSTALLED_APPS = [
    "vms",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.forms",
    "csp",
    "django_htmx",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "vms.routes.OriginMiddleware",
    "vms.routes.DefaultDenyMiddleware",
]
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF, NONCE],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],
        "font-src": [SELF],
        "connect-src": [SELF],
        "form-action": [SELF],
        "base-uri": [NONE],
        "frame-ancestors": [NONE],
    }
}

ROOT_URLCONF = "webadmin.urls"
ASGI_APPLICATION = "webadmin.asgi.application"
WSGI_APPLICATION = "webadmin.wsgi.application"
TEMPLATES = [
    {  # rows of long tables and controls of forms: many times faster than by Django's own templates
        "BACKEND": "django.template.backends.jinja2.Jinja2",
        "DIRS": [BASE_DIR / "templates" / "rows", Path(django.__file__).parent / "forms" / "jinja2"],
        "OPTIONS": {"environment": "vms.templatetags.rows.environment"},
    },
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "vms.web.pages.shell",
            ],
        },
    },
]
FORM_RENDERER = "django.forms.renderers.TemplatesSetting"

DATABASES = {
    "default": env.database("DATABASE_URL", DATA_DIR / "db.sqlite3", env.number("DATABASE_CONNECTIONS", 10, 2, 500))
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

AUTH_USER_MODEL = "vms.User"
LOGIN_URL = "login"
LOGOUT_REDIRECT_URL = "login"
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in ("UserAttributeSimilarityValidator", "MinimumLengthValidator", "CommonPasswordValidator")
]

LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("de", "Deutsch"), ("es", "Español")]
LOCALE_PATHS = [BASE_DIR / "vms" / "locale"]
USE_TZ = True
TIME_ZONE = env.time_zone("TIME_ZONE", "UTC")

STATIC_URL = "static/"
STATIC_ROOT = DATA_DIR / "static"
STATICFILES_DIRS = [(name, BASE_DIR / "static" / name) for name in ("css", "js", "img", "vendor")]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s: %(message)s"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": env.choice("LOG_LEVEL", "INFO", ("DEBUG", "INFO", "WARNING", "ERROR"))},
}
