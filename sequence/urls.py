"""The app's addresses. sequence/middleware.py has a shortcut to the text and the terms."""

from django.urls import path

from sequence import views

urlpatterns = [
    path("", views.root),
    path("terms", views.terms),
    path("terms/<str:n>", views.term),
    path("plots", views.plots),
    path("docs/", views.documentation),
    path("docs/<str:name>", views.documentation),
    path("about", views.about),
    path("card.png", views.card),
    path("openapi.json", views.description),
    path("metrics", views.metrics_page),
    path("livez", views.livez),
    path("readyz", views.readyz),
]
