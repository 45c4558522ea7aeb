FROM python:3.11-slim

ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /app

COPY requirements.lock .
RUN pip install --require-hashes --no-deps --requirement requirements.lock

COPY . .
# DATA_DIR holds the collected static files only: data is in PostgreSQL, and SECRET_KEY comes from the environment.
ENV DATA_DIR=/app/var WEB_HOST=0.0.0.0 PORT=8000
RUN SECRET_KEY=only-for-this-step python manage.py collectstatic --no-input --verbosity 0 \
    && python -m compileall -q . \
    && useradd --system --no-create-home dashboard
USER dashboard

EXPOSE 8000
CMD ["sh", "-c", "exec granian --interface asginl usage_dashboard.asgi:application --no-ws --host $WEB_HOST --port $PORT --log-level warning --http1-buffer-size 65536 --workers ${WEB_WORKERS:-2} --backlog ${WEB_CONNECTIONS:-2000} --backpressure ${WEB_CONNECTIONS:-2000} --respawn-failed-workers --workers-kill-timeout 2"]
