"""The addresses of all doors."""

from django.contrib import admin
from django.contrib.auth.views import LogoutView
from django.urls import URLPattern, URLResolver, include, path

from vms.web.accounts import log_in

urlpatterns: list[URLPattern | URLResolver] = [
    path("accounts/login/", log_in, name="login"),
    path("accounts/logout/", LogoutView.as_view(), name="logout"),
    path("admin/", admin.site.urls),
    path("i18n/", include("django.conf.urls.i18n")),
    path("", include("vms.api.urls")),
    path("portal/", include("vms.web.portal_urls")),
    path("", include("vms.web.urls")),
]

handler403 = "vms.web.accounts.forbidden"
handler404 = "vms.web.accounts.not_found"
