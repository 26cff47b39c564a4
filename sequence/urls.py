"""The app's addresses. sequence/middleware.py has a shortcut to the text and the terms."""

from django.urls import path

from sequence import views

urlpatterns = [
    path("", views.root),
    path("terms", views.terms_of_value),
    path("terms/<str:n>", views.term),
    path("plots", views.plots),
    path("card.png", views.card),
    path("openapi.json", views.description),
    path("metrics", views.metrics_page),
    path("livez", views.livez),
    path("readyz", views.readyz),
]
