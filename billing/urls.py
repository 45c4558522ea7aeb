from django.urls import path

from billing import views

app_name = "billing"
urlpatterns = [
    path("settings/organization/<slug:slug>/usage/cost/", views.cost, name="cost"),
]
