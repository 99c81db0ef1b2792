// Debian 12's Node.js 18 has the Web Crypto API, but does not show it to Retell's SDK.
import { webcrypto } from 'node:crypto';

globalThis.crypto ??= webcrypto;
