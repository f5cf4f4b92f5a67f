"""The door of a WSGI server, for those who run one; `make run` uses ASGI."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "webadmin.settings")
application = get_wsgi_application()
