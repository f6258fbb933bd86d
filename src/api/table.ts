/** `route`, for the deps of this API. */
import type { ApiDeps } from './deps.ts';
import { routes } from './router.ts';

export const route = routes<ApiDeps>();
