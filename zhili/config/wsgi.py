"""The WSGI entry that the web server loads."""

import os

from django.core.wsgi import get_wsgi_application
from django.urls import reverse

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "zhili.config.settings")
application = get_wsgi_application()
# Read the URLs now: the first visitor of a worker should not wait two seconds for it.
reverse("m_home")
