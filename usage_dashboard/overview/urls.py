"""Staff's home, and the state of the installation."""

from django.urls import path

from usage_dashboard.overview import views

app_name = "overview"
urlpatterns = [
    path("", views.home, name="home"),
    path("state/", views.installation_state, name="state"),
    path("steps/<slug:step>/dismissal/", views.dismissal, name="dismissal"),
    path("steps/<slug:step>/taking-back/", views.taking_back, name="taking_back"),
]
