UNION ALL SELECT 'O', 'role', rolname, 'password',
    CASE WHEN rolpassword IS NULL THEN 'none' ELSE 'sha256:' || encode(sha256(convert_to(rolpassword, 'UTF8')), 'hex') END, ''
  FROM pg_authid WHERE rolname !~ '^pg_'
