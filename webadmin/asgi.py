"""The door of the web server: `uvicorn webadmin.asgi:application`."""

import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "webadmin.settings")
application = get_asgi_application()
