import { describe, expect, it } from 'vitest';
import { pathPattern, requestPath } from '../../src/http/path.ts';

const path = (text: string, query?: Parameters<typeof requestPath>[1], arrays: 'repeat' | 'comma' | 'brackets' = 'repeat') =>
  requestPath(text, query, arrays, 'GET crm');

describe('a request’s path', () => {
  it('is encoded where it must be and left alone where not', () => {
    expect(path('/companies/acme.example')).toBe('/companies/acme.example');
    expect(path('companies')).toBe('/companies');
    expect(path('/c/Bär und Co')).toBe('/c/B%C3%A4r%20und%20Co');
    expect(path('/c/a%2Fb')).toBe('/c/a%2Fb');
  });

  it('takes a query: lists in three ways, nothing for undefined and null', () => {
    expect(path('/a', { b: 1, c: 'x y', d: undefined, e: null, f: true, g: [] })).toBe('/a?b=1&c=x%20y&f=true');
    expect(path('/a?z=1', { b: 2 })).toBe('/a?z=1&b=2');
    expect(path('/a', { b: [1, 'x,y'] })).toBe('/a?b=1&b=x%2Cy');
    expect(path('/a', { b: [1, 'x,y'] }, 'comma')).toBe('/a?b=1,x%2Cy');
    expect(path('/a', { b: [1, 2] }, 'brackets')).toBe('/a?b%5B%5D=1&b%5B%5D=2');
  });

  it.each(['/a/../b', '/a/..', '/./a', '/a/%2e%2E/b', '/a\\..\\b', '/a#b', 'https://evil.example/a', 'HTTPS://evil.example'])(
    'refuses %s, which would end up elsewhere',
    (text) => {
      expect(() => path(text)).toThrow(expect.objectContaining({ code: 'E_REQUEST_INVALID' }));
    },
  );

  it('stays on its host whatever is interpolated', () => {
    expect(path('//evil.example/a')).toBe('//evil.example/a');
    expect(path('/@evil.example')).toBe('/@evil.example');
    expect(path('/a\r\nHost: evil')).toBe('/a%0D%0AHost:%20evil');
  });
});

describe('a route’s pattern', () => {
  it.each([
    ['/users/:id', '/users/7', true],
    ['/users/:id', '/users/7/usage', false],
    ['/users/:id', '/users/7?x=/', true],
    ['/files/*', '/files/a/b', true],
    ['/files/*', '/file', false],
    ['*', '/anything', true],
    ['/a.b', '/axb', false],
  ])('%s and %s: %s', (pattern, text, matches) => {
    expect(pathPattern(pattern)(text)).toBe(matches);
  });
});
