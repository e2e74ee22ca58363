// Loaded before npm's `emulate`, which would listen on every interface: each TCP server listens on 127.0.0.1 instead.
'use strict';
const { Server } = require('node:net');

const listen = Server.prototype.listen;

Server.prototype.listen = function listenOnLoopback(...given) {
  const [first] = given;
  const ready = given.filter((argument) => typeof argument === 'function');
  if (first !== null && typeof first === 'object' && first.port !== undefined) {
    return listen.call(this, { ...first, host: '127.0.0.1' }, ...ready);
  }
  if (/^\d+$/.test(String(first))) {
    return listen.call(this, { port: Number(first), host: '127.0.0.1' }, ...ready);
  }
  return listen.apply(this, given);
};
