<?php
// What Mailu configures: mail through the front's doors, the database and the keys in /data.
$config['db_dsnw'] = 'sqlite:////data/roundcube.db';
$config['temp_dir'] = '/dev/shm/';
$config['des_key'] = substr(hash('sha256', 'roundcube ' . getenv('SECRET_KEY')), 0, 24);
$config['log_driver'] = 'stdout';
$config['request_path'] = '/webmail';
$front = ['ssl' => ['verify_peer' => false, 'verify_peer_name' => false]];
$config['imap_host'] = 'tls://' . getenv('FRONT_ADDRESS') . ':143';
$config['imap_conn_options'] = $front;
$config['smtp_host'] = 'tls://' . getenv('FRONT_ADDRESS') . ':587';
$config['smtp_conn_options'] = $front;
$config['plugins'] = ['mailu'];
$config['skin'] = 'elastic';
$config['enigma_pgp_homedir'] = '/data/gpg';
