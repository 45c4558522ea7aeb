"""The exports of the Usage tab and of Billing."""

from django.urls import path
from django.views.decorators.http import require_safe

from exports import views
from exports.focus.api import FocusFile
from exports.focus.views import focus_file, focus_form

app_name = "exports"
ACTIVITY = "settings/organization/<slug:slug>/usage/activity/"
COST = "settings/organization/<slug:slug>/usage/cost/"
BILLING = "settings/organization/<slug:slug>/billing/export/"
urlpatterns = [
    path(f"{ACTIVITY}export/", views.activity_form, name="activity_form"),
    path(f"{ACTIVITY}export.csv", views.activity_csv, name="activity"),
    path(f"{ACTIVITY}export.json", views.activity_json, name="activity_json"),
    path(f"{COST}export/", views.cost_form, name="cost_form"),
    path(f"{COST}export.csv", views.cost_csv, name="cost"),
    path(f"{COST}export.json", views.cost_json, name="cost_json"),
    path(BILLING, focus_form, name="focus_form"),
    path(f"{BILLING}focus", focus_file, name="focus"),
    path("v1/organization/focus", require_safe(FocusFile.as_view()), name="focus_api"),
]
