"""The exports of the Usage tab."""

from django.urls import path

from exports import views

app_name = "exports"
urlpatterns = [
    path("settings/organization/<slug:slug>/usage/activity/export.csv", views.activity, name="activity"),
    path("settings/organization/<slug:slug>/usage/cost/export.csv", views.cost, name="cost"),
]
