# An image whose entry point signs in, by the source that is there: a pod's file, a machine's identity, a variable.
# Needs: the program wif for Linux in this folder; AZURE_TENANT_ID and AZURE_CLIENT_ID when it is started, as in
#   docker run --env AZURE_TENANT_ID --env AZURE_CLIENT_ID --env AZURE_ID_TOKEN IMAGE --source env:AZURE_ID_TOKEN -- ./deploy.sh

FROM debian:12-slim
RUN apt-get update && apt-get install --yes --no-install-recommends ca-certificates curl && rm -rf /var/lib/apt/lists/*
COPY wif /usr/local/bin/wif
WORKDIR /app
COPY deploy.sh .
ENTRYPOINT ["wif", "exec"]
CMD ["--source", "auto", "--", "./deploy.sh"]
