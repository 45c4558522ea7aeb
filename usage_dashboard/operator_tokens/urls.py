"""Staff's pages of operator tokens."""

from django.urls import path

from usage_dashboard.operator_tokens import views

app_name = "operator_tokens"
urlpatterns = [
    path("", views.operator_tokens, name="list"),
    path("<slug:public_id>/secret/", views.secret, name="secret"),
    path("<slug:public_id>/revocation/", views.revocation, name="revocation"),
]
