UNION ALL SELECT 'O', 'parameter', parname, 'grants', (SELECT string_agg(x::text, ', ' ORDER BY x::text) FROM unnest(paracl) AS x), ''
  FROM pg_parameter_acl
