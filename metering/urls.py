from django.urls import path

from metering import views

app_name = "metering"
urlpatterns = [
    path("usage", views.usage, name="usage"),
    path("settings/organization/<slug:slug>/usage/activity/", views.activity, name="activity"),
]
