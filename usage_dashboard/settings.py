"""The one settings module. Every value that an operator may change comes from the environment; docs/operations.md lists them."""

import os
from decimal import Decimal
from email.utils import formataddr
from functools import partial
from pathlib import Path

from django.http.request import validate_host

from usage_dashboard import given_addresses
from usage_dashboard.environment import Environment
from usage_dashboard.machine import embedded, first_person, schedule, single_sign_on, your_name
from usage_dashboard.machine.tuning import memory
from usage_dashboard.web import content_policy, site_address

BASE_DIR = Path(__file__).resolve().parent.parent
env = Environment(os.environ)

# Where this installation runs
DATA_DIR = env.read("DATA_DIR", given_addresses.directory, default=(BASE_DIR / "var").resolve())
PORT = env.whole("PORT", default=8000, least=1, most=65535)
DEBUG = env.switch("DEBUG", default=False)
DEMO = env.switch("DEMO", default=False)
# The one setting that a domain needs; the next ones, and TRUSTED_PROXY_COUNT, follow from it unless they are set
GIVEN_SITE = env.read("SITE_ADDRESS", site_address.parse, default=None)
SITE = GIVEN_SITE or site_address.parse(f"http://localhost:{PORT}")
SITE_ADDRESS, FORCE_SCRIPT_NAME = str(SITE), SITE.path or None
ALLOWED_HOSTS = env.read("ALLOWED_HOSTS", given_addresses.hosts, default=SITE.hosts)
CSRF_TRUSTED_ORIGINS = env.read("CSRF_TRUSTED_ORIGINS", given_addresses.origins, default=[SITE.origin])
HTTPS = env.switch("HTTPS", default=SITE.is_https)
SECRET_KEY = env.secret("SECRET_KEY", unset=partial(embedded.secret_key, DATA_DIR))
SECRET_KEY_FALLBACKS = env.words("SECRET_KEY_FALLBACKS", default=[])
WEB_HOST = env.text("WEB_HOST", default="127.0.0.1")
WEB_WORKERS = env.whole("WEB_WORKERS", default=min(4, os.cpu_count() or 1), least=1)
WEB_THREADS = env.whole("WEB_THREADS", default=16, least=1)  # of each process, like the next ones
WEB_CONNECTIONS = env.whole("WEB_CONNECTIONS", default=2000, least=1)  # the server is told the same
REQUEST_BODY_TIMEOUT_SECONDS = env.number("REQUEST_BODY_TIMEOUT_SECONDS", default=20.0, least=0.01)
REQUEST_BODY_MIN_BYTES_PER_SECOND = env.whole("REQUEST_BODY_MIN_BYTES_PER_SECOND", default=32 * 1024, least=1)
REQUEST_BODIES_MAX = env.whole("REQUEST_BODIES_MAX", default=1000, least=1)
REQUEST_BODIES_MAX_BYTES = env.whole("REQUEST_BODIES_MAX_BYTES", default=16 * 1024 * 1024, least=1)
EVENTS_BODY_MAX_BYTES = env.whole("EVENTS_BODY_MAX_BYTES", default=10 * 1024 * 1024, least=1)
OPERATOR_BATCH_MAX_BYTES = env.whole("OPERATOR_BATCH_MAX_BYTES", default=10 * 1024 * 1024, least=1)
OPERATOR_BATCH_MAX_LINES = env.whole("OPERATOR_BATCH_MAX_LINES", default=10_000, least=1)
FORM_BODY_MAX_BYTES = env.whole("FORM_BODY_MAX_BYTES", default=1024 * 1024, least=1)

# Stores: one PostgreSQL for everything that must not be lost, one Redis that may be
DATABASE_URL = env.text("DATABASE_URL").strip()
DATABASES = {"default": env.read("DATABASE_URL", given_addresses.database, default=embedded.database(DATA_DIR))}
POSTGRES_MEMORY = env.read("POSTGRES_MEMORY", memory.parse, default=memory.available_bytes() // 2)  # its share
REDIS_URL = env.read("REDIS_URL", given_addresses.redis, default=embedded.redis_url(DATA_DIR))
REDIS_CA_FILE = env.read("REDIS_CA_FILE", given_addresses.certificates, default="")
REDIS_TLS = given_addresses.redis_tls(REDIS_URL, REDIS_CA_FILE)  # of all that connects to it
DATABASES["default"].update(
    CONN_MAX_AGE=env.whole("DATABASE_CONNECTION_MAX_AGE_SECONDS", default=600),
    CONN_HEALTH_CHECKS=True,
    OPTIONS={"connect_timeout": 5, **DATABASES["default"].get("OPTIONS", {})},
)
# Of web and workers; what is long by design (rollups, proofs, exports, invoices) has the last of them
DATABASE_STATEMENT_TIMEOUT_SECONDS = env.number("DATABASE_STATEMENT_TIMEOUT_SECONDS", default=60.0)
DATABASE_IDLE_TRANSACTION_TIMEOUT_SECONDS = env.number("DATABASE_IDLE_TRANSACTION_TIMEOUT_SECONDS", default=60.0)
DATABASE_LONG_STATEMENT_TIMEOUT_SECONDS = env.number("DATABASE_LONG_STATEMENT_TIMEOUT_SECONDS", default=3600.0)
CACHE_REDIS_TIMEOUT_SECONDS = env.number("CACHE_REDIS_TIMEOUT_SECONDS", default=0.25, least=0.01)
CACHES = {
    "default": {
        "BACKEND": "accounts.installation.shared_cache.SharedCache",
        "LOCATION": REDIS_URL.replace("redis+socket://", "unix://"),
        "KEY_PREFIX": "usage-dashboard",
        "OPTIONS": {
            "serializer": "accounts.installation.shared_cache.JSONSerializer",
            "socket_timeout": CACHE_REDIS_TIMEOUT_SECONDS,
            "socket_connect_timeout": CACHE_REDIS_TIMEOUT_SECONDS,
            **REDIS_TLS,
        },
    }
}
CACHE_REDIS_REST_SECONDS = env.number("CACHE_REDIS_REST_SECONDS", default=5.0)
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# The engine
USAGE_EVENT_MAX_AGE_DAYS = env.whole("USAGE_EVENT_MAX_AGE_DAYS", default=60, least=1)
USAGE_EVENT_MAX_AHEAD_SECONDS = env.whole("USAGE_EVENT_MAX_AHEAD_SECONDS", default=300)
# Measures of an event are added to each other in 64 bits, which hold nine times so much.
USAGE_EVENT_MAX_MEASURE = env.whole("USAGE_EVENT_MAX_MEASURE", default=10**12, least=1, most=10**18)
USAGE_EVENT_MAX_BYTES = env.whole("USAGE_EVENT_MAX_BYTES", default=10**15, least=1, most=10**18)
FOREIGN_ITEM_MAX_BYTES = env.whole("FOREIGN_ITEM_MAX_BYTES", default=8 * 1024 * 1024, least=1)
OTLP_IGNORED_SCOPES = frozenset(env.words("OTLP_IGNORED_SCOPES", default=[]))
USAGE_EVENT_MAX_TEXT_BYTES = env.whole("USAGE_EVENT_MAX_TEXT_BYTES", default=256 * 1024, least=1)
LITELLM_COUNT_CACHE_HITS = env.switch("LITELLM_COUNT_CACHE_HITS", default=False)
API_KEYS_MAY_REPORT = env.switch("API_KEYS_MAY_REPORT", default=True)
API_KEY_EVENTS_PER_MINUTE = env.whole("API_KEY_EVENTS_PER_MINUTE", default=60_000)
API_KEY_UNITS_PER_MINUTE = env.whole("API_KEY_UNITS_PER_MINUTE", default=100_000_000)
API_KEY_REFUSED_EVENTS_PER_MINUTE = env.whole("API_KEY_REFUSED_EVENTS_PER_MINUTE", default=20_000)  # in each process
NEW_MODELS_PER_DAY = env.whole("NEW_MODELS_PER_DAY", default=1_000)  # and organization, like the next one
NEW_SKUS_PER_DAY = env.whole("NEW_SKUS_PER_DAY", default=5_000)
UNKNOWN_SECRETS_PER_MINUTE = env.whole("UNKNOWN_SECRETS_PER_MINUTE", default=120)  # and address, in each web process
INGESTION_WRITE_SECONDS = env.number("INGESTION_WRITE_SECONDS", default=1.0)  # 0: not by itself
USAGE_EVENT_RETENTION_DAYS = env.whole("USAGE_EVENT_RETENTION_DAYS", default=90, least=1)
ROLL_UP_MAX_EVENTS = env.whole("ROLL_UP_MAX_EVENTS", default=1_000_000, least=1)
ATTRIBUTE_VALUES_PER_MONTH = env.whole("ATTRIBUTE_VALUES_PER_MONTH", default=1_000)  # and attribute
NEW_ATTRIBUTIONS_PER_MONTH = env.whole("NEW_ATTRIBUTIONS_PER_MONTH", default=100_000)  # and organization
UNDECLARED_NAMES_KEPT = env.whole("UNDECLARED_NAMES_KEPT", default=100)  # and organization
MAX_SERVICE_TIER_WORDS = env.whole("MAX_SERVICE_TIER_WORDS", default=100)
MAX_PRICE_WORDS = env.whole("MAX_PRICE_WORDS", default=200)
WORDS_PER_ORGANIZATION = env.whole("WORDS_PER_ORGANIZATION", default=50)  # of each kind
PRICE_MODELS_AT_ONCE = env.whole("PRICE_MODELS_AT_ONCE", default=100, least=1)
ROLL_UP_INTERVAL_SECONDS = env.number("ROLL_UP_INTERVAL_SECONDS", default=1.0, least=0.01)
ROLL_UP_REST_SECONDS = env.number("ROLL_UP_REST_SECONDS", default=0.2)  # at most, between two runs
SLOW_DOWN_LAG_SECONDS = env.number("SLOW_DOWN_LAG_SECONDS", default=5.0)
PAGES_KEPT_BYTES = env.whole("PAGES_KEPT_BYTES", default=16 * 1024 * 1024)  # in each web process; 0: none
READY_MAX_LAG_SECONDS = env.whole("READY_MAX_LAG_SECONDS", default=300)

# What one person may do (see accounts.limits)
CHANGES_PER_MINUTE = env.whole("CHANGES_PER_MINUTE", default=60)
SWITCHES_PER_DAY = env.whole("SWITCHES_PER_DAY", default=200)  # of a person's history
JOINS_PER_DAY = env.whole("JOINS_PER_DAY", default=10)  # of a person, into one organization
NEW_ORGANIZATIONS_PER_DAY = env.whole("NEW_ORGANIZATIONS_PER_DAY", default=20)
NEW_API_KEYS_PER_DAY = env.whole("NEW_API_KEYS_PER_DAY", default=100)
MAX_API_KEYS_PER_PERSON = env.whole("MAX_API_KEYS_PER_PERSON", default=500)
MAX_ADMIN_KEYS_PER_ORGANIZATION = env.whole("MAX_ADMIN_KEYS_PER_ORGANIZATION", default=50)
ADMIN_KEY_REQUESTS_PER_MINUTE = env.whole("ADMIN_KEY_REQUESTS_PER_MINUTE", default=600, least=1)
OPERATOR_TOKEN_REQUESTS_PER_MINUTE = env.whole("OPERATOR_TOKEN_REQUESTS_PER_MINUTE", default=3_000, least=1)
ADMIN_API_RESULTS_PER_PAGE = env.whole("ADMIN_API_RESULTS_PER_PAGE", default=10_000, least=1)
ADMIN_API_CURSOR_HOURS = env.whole("ADMIN_API_CURSOR_HOURS", default=24, least=1)
MCP_ADMIN_KEY = env.text("MCP_ADMIN_KEY").strip()  # of whoever starts `manage.py mcp`; servers do not read it
MCP_MAX_DAYS = env.whole("MCP_MAX_DAYS", default=366, least=1)
MCP_MAX_ROWS = env.whole("MCP_MAX_ROWS", default=200, least=1)
NEW_PROJECTS_PER_DAY = env.whole("NEW_PROJECTS_PER_DAY", default=100)
MAX_PROJECTS_PER_ORGANIZATION = env.whole("MAX_PROJECTS_PER_ORGANIZATION", default=1_000)

# Who is the first of staff of an empty installation, where nobody is to say it in a browser
INIT = first_person.first_person(env)

# Under whose name people see it
BRAND = your_name.brand(env, demo=DEMO)

# Invoices: the seller, and the terms of payers whose billing details name none
FOCUS_MAX_DAYS = env.whole("FOCUS_MAX_DAYS", default=366, least=1)
INVOICE_GRACE_DAYS = env.whole("INVOICE_GRACE_DAYS", default=3)
INVOICE_DUE_DAYS = env.whole("INVOICE_DUE_DAYS", default=30)
INVOICE_TAX_NAME = env.text("INVOICE_TAX_NAME", default="Tax")
INVOICE_TAX_RATE = env.share("INVOICE_TAX_RATE", default=Decimal(0))  # 0.19 is 19%
INVOICE_SELLER_NAME = env.text("INVOICE_SELLER_NAME", default=your_name.seller(BRAND))
INVOICE_SELLER_ADDRESS = env.text("INVOICE_SELLER_ADDRESS").replace("\\n", "\n")
INVOICE_SELLER_TAX_ID = env.text("INVOICE_SELLER_TAX_ID")
INVOICE_PAYMENT_NOTE = env.text("INVOICE_PAYMENT_NOTE").replace("\\n", "\n")
OPERATOR_TOKEN = env.text("OPERATOR_TOKEN")

# Prometheus: the page is there for who has the token and comes from one of the addresses, whatever of it is set
METRICS_TOKEN = env.read("METRICS_TOKEN", given_addresses.token, default="")
METRICS_ADDRESSES: list[given_addresses.Network] = env.read("METRICS_ADDRESSES", given_addresses.networks, default=[])
METRICS_WRITE_SECONDS = env.number("METRICS_WRITE_SECONDS", default=5.0)  # 0: not by itself
METRICS_TIMEOUT_SECONDS = env.number("METRICS_TIMEOUT_SECONDS", default=5.0, least=0.01)
METRICS_ORGANIZATIONS = env.whole("METRICS_ORGANIZATIONS", default=20)  # 0: none
METRICS_ORGANIZATIONS_SECONDS = env.number("METRICS_ORGANIZATIONS_SECONDS", default=300.0, least=1.0)

BUDGETS_MAX = env.whole("BUDGETS_MAX", default=100, least=1)  # each is added up after every roll-up of its organization

# Webhooks go to strangers: where to, how long one may take, and when an endpoint is given up
WEBHOOK_PRIVATE_ADDRESSES = env.switch("WEBHOOK_PRIVATE_ADDRESSES", default=False)
WEBHOOK_EXTRA_PORTS: list[int] = env.read("WEBHOOK_EXTRA_PORTS", given_addresses.ports, default=[])
WEBHOOK_TIMEOUT_SECONDS = env.number("WEBHOOK_TIMEOUT_SECONDS", default=10.0, least=0.01)
WEBHOOK_LOOK_UP_TIMEOUT_SECONDS = env.number("WEBHOOK_LOOK_UP_TIMEOUT_SECONDS", default=3.0, least=0.01)
WEBHOOK_OFF_AFTER_HOURS = env.number("WEBHOOK_OFF_AFTER_HOURS", default=72.0)  # longer than all attempts of a message
WEBHOOK_SLOW_AT_ONCE = env.whole("WEBHOOK_SLOW_AT_ONCE", default=5, least=1)  # of the eight threads for deliveries
WEBHOOK_MAX_ENDPOINTS = env.whole("WEBHOOK_MAX_ENDPOINTS", default=20)
SCIM_REQUESTS_PER_MINUTE = env.whole("SCIM_REQUESTS_PER_MINUTE", default=1500, least=1)
SCIM_MAX_PEOPLE = env.whole("SCIM_MAX_PEOPLE", default=10_000)
SCIM_MAX_GROUPS = env.whole("SCIM_MAX_GROUPS", default=500)
KEY_NEWS_SECONDS = env.whole("KEY_NEWS_SECONDS", default=60)

INSTALLED_APPS = [
    "usage_dashboard.apps.StaffSiteConfig",
    "accounts",  # before Django's, for its commands of the same names
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.humanize",
    "django.contrib.messages",
    "django.contrib.postgres",
    "django.contrib.sessions",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.socialaccount",
    "allauth.socialaccount.providers.openid_connect",
    "allauth.usersessions",
    "csp",
    "rest_framework",
    "drf_spectacular",
    "apikeys",
    "metering",
    "billing",
    "exports",
    "usage_dashboard",
]
MIDDLEWARE = [
    "usage_dashboard.monitoring.routes.note_route",
    "django.middleware.security.SecurityMiddleware",
    "usage_dashboard.web.programs.json_errors",
    "usage_dashboard.web.middleware.refuse_nul",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "usage_dashboard.web.middleware.keep_no_copies",
    "django.middleware.gzip.GZipMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "usage_dashboard.web.programs.HostsOfPeople",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "accounts.limits.LimitPages",
]
ROOT_URLCONF = "usage_dashboard.urls"
MENU = "usage_dashboard.menu.MENU"
HAS_USAGE = "metering.usage.ever.has_usage"  # what accounts asks, which is below metering
MEMBER_LEFT = "usage_dashboard.scim.groups.left"  # what accounts tells of whoever is put out of an organization
WSGI_APPLICATION = "usage_dashboard.wsgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    }
]

# Sign-in
AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {
        "NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator",
        "OPTIONS": {"user_attributes": ("email", "name")},
    },
    {"NAME": "accounts.entrance.passwords.NotTheEmailValidator"},
]
ACCOUNT_ADAPTER = "accounts.entrance.adapter.AccountAdapter"
ACCOUNT_FORMS = {
    "login": "accounts.entrance.forms.SignInForm",
    "reset_password": "accounts.entrance.forms.ResetPasswordForm",
    "signup": "accounts.entrance.forms.SignUpForm",
}
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*"]
ACCOUNT_EMAIL_VERIFICATION = "mandatory"
ACCOUNT_PREVENT_ENUMERATION = "strict"  # and so an unconfirmed claim of one person is no address of theirs to another
ACCOUNT_EMAIL_SUBJECT_PREFIX = ""
ACCOUNT_EMAIL_NOTIFICATIONS = True
ACCOUNT_CONFIRM_EMAIL_ON_GET = False
ACCOUNT_REAUTHENTICATION_REQUIRED = True
ACCOUNT_LOGOUT_ON_GET = False
ACCOUNT_LOGOUT_ON_PASSWORD_CHANGE = False
STAFF_SECOND_FACTOR = env.switch("STAFF_SECOND_FACTOR", default=not DEMO)
STAFF_OPENING_MINUTES = env.whole("STAFF_OPENING_MINUTES", default=60, least=1)
SHOWN_ONCE_SECONDS = env.number("SHOWN_ONCE_SECONDS", default=600.0, least=1)
SECURITY_LOG_RETENTION_DAYS = env.whole("SECURITY_LOG_RETENTION_DAYS", default=365, least=1)
INVITATIONS_PER_PERSON_AND_DAY = env.whole("INVITATIONS_PER_PERSON_AND_DAY", default=100)
INVITATIONS_PER_ORGANIZATION_AND_DAY = env.whole("INVITATIONS_PER_ORGANIZATION_AND_DAY", default=300)
INVITATIONS_PER_ADDRESS_AND_DAY = env.whole("INVITATIONS_PER_ADDRESS_AND_DAY", default=5)
SIGN_UP_OPEN = env.switch("SIGN_UP_OPEN", default=True)
ALLAUTH_TRUSTED_PROXY_COUNT = env.whole("TRUSTED_PROXY_COUNT", default=int(HTTPS))  # that add to X-Forwarded-For
MFA_ADAPTER = "accounts.entrance.adapter.MFAAdapter"
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_PASSKEY_LOGIN_ENABLED = True
MFA_TOTP_ISSUER = BRAND.name
MFA_WEBAUTHN_ALLOW_INSECURE_ORIGIN = not HTTPS  # browsers allow passkeys over HTTP on localhost alone
USERSESSIONS_ADAPTER = "accounts.entrance.hooks.SessionsAdapter"
USERSESSIONS_TRACK_ACTIVITY = False

# Single sign-on through OpenID Connect, if there is a server; its users' verified addresses are trusted
OIDC_SERVER_URL = env.read("OIDC_SERVER_URL", given_addresses.site, default="")
OIDC_CLIENT_ID = env.text("OIDC_CLIENT_ID")
OIDC_CLIENT_SECRET = env.text("OIDC_CLIENT_SECRET")
OIDC_NAME = env.text("OIDC_NAME", default="Single sign-on")
SOCIALACCOUNT_ADAPTER = "accounts.entrance.adapter.SocialAccountAdapter"
SOCIALACCOUNT_EMAIL_AUTHENTICATION = SOCIALACCOUNT_EMAIL_AUTHENTICATION_AUTO_CONNECT = True
SOCIALACCOUNT_PROVIDERS = single_sign_on.providers(OIDC_SERVER_URL, OIDC_NAME, OIDC_CLIENT_ID, OIDC_CLIENT_SECRET)
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "metering:usage"
ACCOUNT_LOGOUT_REDIRECT_URL = "account_login"
COOKIE_PREFIX = SITE.cookie_prefix(https=HTTPS)
SESSION_COOKIE_NAME = f"{COOKIE_PREFIX}-session"
CSRF_FAILURE_VIEW = "accounts.pages.errors.stale_form"
CSRF_COOKIE_NAME = f"{COOKIE_PREFIX}-csrf"
MESSAGES_COOKIE_NAME = f"{COOKIE_PREFIX}-messages"
MESSAGE_STORAGE = "accounts.installation.messages.Storage"
SESSION_COOKIE_PATH = CSRF_COOKIE_PATH = SITE.cookie_path
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HTTPS
CSRF_COOKIE_HTTPONLY = True  # forms carry their token; no script needs it
SECURE_SSL_REDIRECT = HTTPS
SECURE_REDIRECT_EXEMPT = SITE.redirect_exempt()
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if HTTPS else None
SECURE_HSTS_SECONDS = SITE.hsts_seconds(https=HTTPS)
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = content_policy.policy(form_targets=given_addresses.origins(OIDC_SERVER_URL))

# One calendar, one language
LANGUAGE_CODE = "en-us"
USE_I18N = False
TIME_ZONE = "UTC"
USE_TZ = True

STATIC_URL = SITE.static_url
STATIC_ROOT = DATA_DIR / "staticfiles"
STATICFILES_DIRS = [BASE_DIR / "static"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if DEBUG
        else "whitenoise.storage.CompressedManifestStaticFilesStorage"
    },
}
WHITENOISE_MAX_AGE = 31_536_000

REST_FRAMEWORK = {
    "DEFAULT_RENDERER_CLASSES": ["usage_dashboard.web.json_renderer.Renderer"],
    "DEFAULT_PARSER_CLASSES": ["usage_dashboard.web.json_parser.Parser"],
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "usage_dashboard.web.negotiation.OneFormat",
    "EXCEPTION_HANDLER": "usage_dashboard.web.programs.rest_error",
    "DEFAULT_SCHEMA_CLASS": "usage_dashboard.apidocs.view_schema.ViewSchema",
    "DEFAULT_AUTHENTICATION_CLASSES": [],
    "DEFAULT_PERMISSION_CLASSES": [],
    "UNAUTHENTICATED_USER": None,
}

SPECTACULAR_SETTINGS = {
    "DESCRIPTION": "What programs can ask and tell this installation. As a page for people: /api/docs.",
    "VERSION": "1",
    "OAS_VERSION": "3.1.0",
    "SERVERS": [{"url": SITE_ADDRESS.rstrip("/")}],
    "DEFAULT_GENERATOR_CLASS": "usage_dashboard.apidocs.generator.Generator",
    "POSTPROCESSING_HOOKS": [],
    "SORT_OPERATIONS": False,
    "SORT_OPERATION_PARAMETERS": False,
    "AUTHENTICATION_WHITELIST": None,
}

# Celery only triggers; PostgreSQL holds the work. No message expires: clocks of beat and worker would decide (see `beat`).
CELERY_BROKER_URL = REDIS_URL
CELERY_BROKER_USE_SSL = REDIS_TLS or False
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_SERIALIZER = "json"
CELERY_TIMEZONE = "UTC"
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "socket_connect_timeout": 2,
    "visibility_timeout": 3600,
}
# What waits for others' servers has a queue, and a worker, of its own, which also sees when the first one is behind.
CELERY_TASK_DEFAULT_QUEUE = "celery"
CELERY_TASK_ROUTES = {task: {"queue": "deliveries"} for task in ("billing.tasks.deliver_*", "billing.tasks.check_lag")}
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_BEAT_SCHEDULER = "usage_dashboard.beat:Scheduler"
CELERY_BEAT_SCHEDULE = schedule.of(roll_up=ROLL_UP_INTERVAL_SECONDS, measure=METRICS_ORGANIZATIONS_SECONDS)

vars().update(env.read("EMAIL_URL", given_addresses.email, default=given_addresses.email("consolemail://")))
EMAIL_TIMEOUT = 10
DEFAULT_FROM_EMAIL = env.read(
    "DEFAULT_FROM_EMAIL", given_addresses.sender, default=formataddr((BRAND.name, "usage-dashboard@localhost"))
)
BACKUP_MAX_AGE_HOURS = env.whole("BACKUP_MAX_AGE_HOURS", default=48)  # 0: not asked for

DEFAULT_EXCEPTION_REPORTER_FILTER = "usage_dashboard.error_reports.SecretsFilter"
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"plain": {"format": "%(asctime)s %(levelname)s %(name)s: %(message)s"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "plain"}},
    "root": {"handlers": ["stderr"], "level": env.read("LOG_LEVEL", given_addresses.log_level, default="WARNING")},
    "loggers": {"django.request": {"level": "ERROR"}},  # refused requests are answered, not logged
}

if GIVEN_SITE and HTTPS and not SITE.is_https:
    env.problems.append(f"HTTPS is 1 and SITE_ADDRESS is {SITE}: it must begin with https:// then.")
if GIVEN_SITE and not validate_host(SITE.host, ALLOWED_HOSTS):
    env.problems.append(f"ALLOWED_HOSTS has not {SITE.host}, the host of SITE_ADDRESS: add it, or unset ALLOWED_HOSTS.")
if OIDC_SERVER_URL and not OIDC_CLIENT_ID:
    env.problems.append("OIDC_CLIENT_ID is not set: the server at OIDC_SERVER_URL asks for it.")
if max(EVENTS_BODY_MAX_BYTES, FORM_BODY_MAX_BYTES, OPERATOR_BATCH_MAX_BYTES) > REQUEST_BODIES_MAX_BYTES:
    env.problems.append(
        "REQUEST_BODIES_MAX_BYTES is below EVENTS_BODY_MAX_BYTES, FORM_BODY_MAX_BYTES or OPERATOR_BATCH_MAX_BYTES: "
        "it must not be."
    )
env.check()
