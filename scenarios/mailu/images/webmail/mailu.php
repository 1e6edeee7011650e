<?php
// Single sign-on: the front says, at sso.php alone, who has logged in to Mailu and with what token to go to the mail server.
class mailu extends rcube_plugin
{
    function init()
    {
        $this->add_hook('startup', function ($args) {
            if (empty($_SESSION['user_id'])) {
                $args['action'] = 'login';
            }
            return $args;
        });
        $this->add_hook('authenticate', function ($args) {
            if (!isset($_SERVER['HTTP_X_REMOTE_USER'], $_SERVER['HTTP_X_REMOTE_USER_TOKEN'])) {
                if (basename($_SERVER['PHP_SELF']) === 'sso.php') {
                    http_response_code(403);
                    exit('single sign-on failed');
                }
                $this->go('sso.php');
            }
            $login = ['user' => $_SERVER['HTTP_X_REMOTE_USER'], 'pass' => $_SERVER['HTTP_X_REMOTE_USER_TOKEN']];
            return array_merge($args, $login, ['cookiecheck' => false, 'valid' => true]);
        });
        $this->add_hook('login_after', function () { $this->go('index.php'); });
        $this->add_hook('login_failed', function () { http_response_code(503); exit('the mail server refused the login'); });
    }

    private function go($page)
    {
        header("Location: $page", true, 302);
        exit();
    }
}
