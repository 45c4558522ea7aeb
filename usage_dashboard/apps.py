from django.apps import AppConfig
from django.contrib.admin import apps


class UsageDashboardConfig(AppConfig):
    name = "usage_dashboard"
    default = True


class StaffSiteConfig(apps.AdminConfig):
    default = False
    default_site = "accounts.staff.site.StaffSite"
