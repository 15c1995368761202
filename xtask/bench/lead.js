'use strict';

// Leads connections for Entra's public name to the emulator (`ENTRA_PORT`), for a library that asks the public cloud about
// any other: `node --require lead.js`. The name stays in TLS, so that certificates are checked as they would be.

const tls = require('tls');

const connect = tls.connect;
tls.connect = (options, ...rest) =>
  options && options.host === 'login.microsoftonline.com'
    ? connect({ ...options, servername: options.host, host: '127.0.0.1', port: process.env.ENTRA_PORT }, ...rest)
    : connect(options, ...rest);
